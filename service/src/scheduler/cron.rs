//! cron: a line for `crontab -e`.

use super::ARGUMENTS;
use crate::catalogue::Cause;
use crate::failure::Failure;
use std::path::Path;

pub fn line(program: &Path) -> Result<String, Failure> {
    let program = program.to_str();
    let program = program.filter(|program| !program.contains(|c: char| c.is_control()));
    let program = program.ok_or_else(|| Failure::from(Cause::ProgramNotInCrontab))?;
    let program = match program.contains(|c: char| !(c.is_ascii_alphanumeric() || "/._-".contains(c))) {
        true => format!("'{}'", program.replace('\'', "'\\''").replace('%', "\\%")),
        false => program.to_string(),
    };
    Ok(format!("*/5 * * * * {program} {}", ARGUMENTS.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted() {
        assert_eq!(
            line(Path::new("/usr/bin/dedup")).unwrap(),
            "*/5 * * * * /usr/bin/dedup --quiet run --due"
        );
        assert_eq!(
            line(Path::new("/o'1%/dedup")).unwrap(),
            "*/5 * * * * '/o'\\''1\\%/dedup' --quiet run --due"
        );
    }
}
