//! The completion scripts of the shells, from the definitions of the command line.
//!
//! `clap_complete` writes them. Its script for zsh takes the first word for a FILE and the second for the command, although
//! a command stands first or not at all, and after a FILE it knows no option. [`zsh`] mends that.

use super::cli;

use clap_complete::Shell;

/// The script for a shell.
pub(super) fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut cli::command(), "hangup", &mut script);
    if shell == Shell::Zsh
        && let Ok(text) = std::str::from_utf8(&script)
        && let Some(mended) = zsh(text)
    {
        return mended.into_bytes();
    }
    script
}

/// The script with one first word, a command or a FILE: after a command come its options, after a FILE the options that need no
/// command and more FILEs. Options may follow a FILE. `None` if the script is not built as expected.
fn zsh(script: &str) -> Option<String> {
    const COMMAND: &str = "\":: :_hangup_commands\" \\\n";
    const CASES: &str = "case $line[2] in\n";
    let (before, rest) = script.split_once(COMMAND)?;
    // The last line before is that of the FILEs.
    let (before, files) = before.strip_suffix('\n')?.rsplit_once('\n')?;
    let files = files.strip_prefix("'::files")?;
    let options = before
        .split_once("_arguments \"${_arguments_options[@]}\" : \\\n")?
        .1;
    let (cases, rest) = rest.split_once(CASES)?;
    let (commands, rest) = rest.split_once("\n}\n")?;
    let commands = commands.strip_suffix("        esac\n    ;;\nesac")?;
    // After two colons the first such word is the name of another program, with options of its own: true of `run` alone.
    let commands = commands.replace("\n'*::", "\n'*:");
    let commands = commands.replace("\n'*:command ", "\n'*::command ");
    let cases = cases.replace("$line[2]", "$line[1]");
    let cases = format!("{cases}case $line[1] in\n");
    let no_command = format!(
        "(*)\n_arguments \"${{_arguments_options[@]}}\" : \\\n{options}\n'*:files{files}\n&& ret=0\n;;\n"
    );
    Some(format!(
        "{before}\n\": :{{_hangup_commands; _files}}\" \\\n{cases}{commands}{no_command}        esac\n    ;;\nesac\n}}\n{rest}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zsh_completes_the_options_of_the_first_word() {
        let script = String::from_utf8(script(Shell::Zsh)).unwrap();
        let (program, rest) = script.split_once("\n}\n").unwrap();
        assert!(!script.contains("$line[2]"), "no word is the second");
        let (first, after) = program.split_once("    case $state in\n").unwrap();
        assert!(first.contains("\": :{_hangup_commands; _files}\" \\\n\"*::: :->hangup\" \\\n"));
        assert!(!first.contains("'::files"), "one first word");
        assert!(after.contains("        words=($line[1] \"${words[@]}\")\n"));
        assert!(after.contains("        case $line[1] in\n            (report)\n"));
        let live = after.split_once("\n(live)\n").unwrap().1;
        assert!(live.split_once(";;").unwrap().0.contains("'--rotate-size="));
        let file = after.rsplit_once("\n(*)\n").unwrap().1;
        assert!(file.contains("'--min-severity=") && file.contains("'*:files -- Captures"));
        let other = program.matches("\n'*::").count();
        assert_eq!(other, 1, "options follow FILEs, filters and texts");
        assert!(program.contains("\n'*::command -- "));
        assert!(
            file.ends_with("&& ret=0\n;;\n        esac\n    ;;\nesac"),
            "{file}"
        );
        assert!(rest.contains("_hangup_commands() {"));
    }
}
