//! How much memory this program holds, where the system says so: Linux, in `/proc/self/status`.

use std::fs::File;

/// The file, which is opened before the sandbox and read again and again.
#[derive(Debug)]
pub(super) struct MemoryFile(
    #[cfg_attr(
        not(unix),
        allow(dead_code, reason = "other systems do not say it in a file")
    )]
    Option<File>,
);

impl MemoryFile {
    /// Opens it, if there is one.
    pub(super) fn open() -> Self {
        Self(File::open("/proc/self/status").ok())
    }

    /// Bytes that are resident.
    #[cfg(unix)]
    pub(super) fn resident(&self) -> Option<u64> {
        use std::os::unix::fs::FileExt as _;

        // The file is shorter than this.
        let mut bytes = [0; 4096];
        let read = self.0.as_ref()?.read_at(&mut bytes, 0).ok()?;
        let text = std::str::from_utf8(bytes.get(..read)?).ok()?;
        let line = text.lines().find_map(|it| it.strip_prefix("VmRSS:"))?;
        let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().ok()?;
        Some(kib << 10)
    }

    /// Other systems do not say it in a file.
    #[cfg(not(unix))]
    pub(super) fn resident(&self) -> Option<u64> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_program_holds_some_memory() {
        let memory = MemoryFile::open();
        assert!(memory.resident().is_some_and(|it| it > 1 << 20));
    }
}
