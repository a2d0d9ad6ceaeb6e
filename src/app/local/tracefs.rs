//! An instance of tracefs of our own, with the events that are wanted and no others; removed when it is dropped.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Where tracefs is mounted; the second on older systems.
const MOUNTED: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];
/// The beginning of an instance's name; the number of its process follows.
const PREFIX: &str = "hangup-";
/// Kibibytes for each processor: more than comes between two reads of a busy host.
const BUFFER: &str = "512";
const RESETS: &str = "events/tcp/tcp_send_reset";
const STATES: &str = "events/sock/inet_sock_set_state";
/// States that a program brings about: no interrupts (`TRACE_FLAG_HARDIRQ | TRACE_FLAG_SOFTIRQ`), and both ports known. What
/// follows LAST-ACK (9) is no act of a program.
const OWN: &str =
    "protocol == 6 && sport != 0 && dport != 0 && oldstate != 9 && !(common_flags & 0x18)";
/// The same for kernels that do not know that filter.
const TCP: &str = "protocol == 6";
/// Bytes that are read at once.
const READ: usize = 1 << 16;

/// An instance.
pub(super) struct Instance {
    path: PathBuf,
    pipe: Option<File>,
    /// The beginning of a line whose rest has not come yet.
    rest: Vec<u8>,
}

impl Instance {
    /// Makes one and switches the events on.
    ///
    /// # Errors
    /// In words, why there is none.
    pub(super) fn begin() -> Result<Self, String> {
        let root = MOUNTED.iter().map(Path::new);
        let mut root = root.filter(|it| it.join("instances").is_dir());
        let Some(root) = root.next() else {
            return Err(match rustix::process::geteuid().is_root() {
                true => "tracefs is not mounted: mount -t tracefs tracefs /sys/kernel/tracing",
                false => "tracefs is not mounted, or only root may look at it",
            }
            .to_owned());
        };
        match fs::read_to_string(root.join(RESETS).join("format")) {
            Ok(format) if format.contains("reason") && format.contains("dest=") => {}
            Ok(_) => return Err("this kernel is older than 6.10 and names none".to_owned()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err("this kernel has no event tcp:tcp_send_reset".to_owned());
            }
            Err(error) => return Err(denied(&error)),
        }
        remove_left_over(&root.join("instances"));
        let name = format!("{PREFIX}{}", std::process::id());
        let path = root.join("instances").join(name);
        fs::create_dir(&path).map_err(|error| denied(&error))?;
        // From here on it is removed if anything fails.
        let mut made = Self {
            path,
            pipe: None,
            rest: Vec::new(),
        };
        made.set_up().map_err(|error| denied(&error))?;
        Ok(made)
    }

    fn set_up(&mut self) -> io::Result<()> {
        self.write("trace_clock", "mono")?;
        self.write("buffer_size_kb", BUFFER)?;
        let filter = format!("{STATES}/filter");
        self.write(&filter, OWN)
            .or_else(|_| self.write(&filter, TCP))?;
        let pipe = OpenOptions::new()
            .read(true)
            .custom_flags(OFlags::NONBLOCK.bits() as i32)
            .open(self.path.join("trace_pipe"))?;
        self.pipe = Some(pipe);
        self.write(&format!("{RESETS}/enable"), "1")?;
        self.write(&format!("{STATES}/enable"), "1")
    }

    fn write(&self, name: &str, value: &str) -> io::Result<()> {
        fs::write(self.path.join(name), value)
    }

    /// Passes each line that has come to `line`.
    ///
    /// # Errors
    /// If it cannot be read any more.
    pub(super) fn read(&mut self, mut line: impl FnMut(&[u8])) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else {
            return Ok(());
        };
        let mut buffer = vec![0; READ];
        loop {
            let read = match pipe.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.rest.extend(buffer.iter().take(read));
            let whole = memchr::memrchr(b'\n', &self.rest).map_or(0, |at| at + 1);
            let after = self.rest.split_off(whole);
            for each in self.rest.split(|it| *it == b'\n') {
                line(each);
            }
            self.rest = after;
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // An open one cannot be removed.
        self.pipe = None;
        // If it stays, the next capture removes it.
        let _ = fs::remove_dir(&self.path);
    }
}

/// Removes instances whose process is gone.
fn remove_left_over(instances: &Path) {
    let entries = fs::read_dir(instances).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|it| it.strip_prefix(PREFIX));
        let owner = owner.and_then(|it| it.parse::<u32>().ok());
        let gone = owner.is_some_and(|it| !Path::new("/proc").join(it.to_string()).exists());
        if gone {
            let _ = fs::remove_dir(entry.path());
        }
    }
}

fn denied(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => "only root may ask for them".to_owned(),
        _ => format!("tracefs: {error}"),
    }
}
