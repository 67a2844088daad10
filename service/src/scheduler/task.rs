//! Task Scheduler of Windows: a task that ticks every five minutes while its user is logged on. The defaults of that system
//! would not start it on batteries, end it when the machine goes on batteries or after three days, and lose what was
//! missed.

use super::{ARGUMENTS, Call, delete, in_xml, text_of, write};
use crate::catalogue::Action;
use crate::failure::Failure;
use std::path::Path;

pub const NAME: &str = "dedup";
const PROGRAM: &str = "schtasks";

/// The task, of version 1.2 of the schema (MS-TSCH). `conhost --headless` runs a console program without a window.
pub fn xml(program: &Path) -> Result<String, Failure> {
    let arguments = format!("--headless \"{}\" {}", text_of(program)?, ARGUMENTS.join(" "));
    let settings = [
        ("MultipleInstancesPolicy", "IgnoreNew"),
        ("DisallowStartIfOnBatteries", "false"),
        ("StopIfGoingOnBatteries", "false"),
        ("AllowHardTerminate", "true"),
        ("StartWhenAvailable", "true"),
        ("RunOnlyIfNetworkAvailable", "false"),
        ("AllowStartOnDemand", "true"),
        ("Enabled", "true"),
        ("Hidden", "true"),
        ("RunOnlyIfIdle", "false"),
        ("WakeToRun", "false"),
        ("ExecutionTimeLimit", "PT0S"),
        ("Priority", "7"),
    ];
    let settings: String = settings
        .iter()
        .map(|(name, value)| format!("    <{name}>{value}</{name}>\n"))
        .collect();
    Ok(format!(
        "<?xml version=\"1.0\"?>\n\
         <Task version=\"1.2\" xmlns=\"http://schemas.microsoft.com/windows/2004/02/mit/task\">\n  \
         <RegistrationInfo>\n    <URI>\\{NAME}</URI>\n  </RegistrationInfo>\n  \
         <Triggers>\n    <TimeTrigger>\n      <Enabled>true</Enabled>\n      \
         <StartBoundary>2026-01-01T00:00:00</StartBoundary>\n      \
         <Repetition>\n        <Interval>PT5M</Interval>\n        \
         <StopAtDurationEnd>false</StopAtDurationEnd>\n      </Repetition>\n    </TimeTrigger>\n  \
         </Triggers>\n  \
         <Principals>\n    <Principal id=\"Author\">\n      <LogonType>InteractiveToken</LogonType>\n      \
         <RunLevel>LeastPrivilege</RunLevel>\n    </Principal>\n  </Principals>\n  \
         <Settings>\n{settings}  </Settings>\n  \
         <Actions Context=\"Author\">\n    <Exec>\n      <Command>conhost.exe</Command>\n      \
         <Arguments>{}</Arguments>\n    </Exec>\n  </Actions>\n</Task>\n",
        in_xml(&arguments)
    ))
}

/// UTF-16 with its mark, which is the only encoding that `schtasks` takes for more than ASCII.
fn utf16(text: &str) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

pub(super) fn install(xml: &str, call: Call<'_>) -> Result<(), Failure> {
    let folder = std::env::temp_dir();
    let refused = |e| Failure::system(Action::Write, &folder, e);
    let folder = tempfile::Builder::new()
        .prefix("dedup-task.")
        .tempdir()
        .map_err(refused)?;
    let file = folder.path().join("task.xml");
    write(&file, &utf16(xml))?;
    let done = call(
        PROGRAM,
        &["/create", "/tn", NAME, "/xml", &file.to_string_lossy(), "/f"],
    );
    delete(&file)?;
    done
}

pub(super) fn is_installed(call: Call<'_>) -> bool {
    call(PROGRAM, &["/query", "/tn", NAME]).is_ok()
}

pub(super) fn remove(call: Call<'_>) -> Result<(), Failure> {
    call(PROGRAM, &["/delete", "/tn", NAME, "/f"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn what_schtasks_is_asked() {
        let text = xml(Path::new("C:\\Program Files\\d&d\\dedup.exe")).unwrap();
        let arguments = "--headless &quot;C:\\Program Files\\d&amp;d\\dedup.exe&quot; --quiet run --due";
        assert!(text.contains(arguments), "{text}");
        assert!(xml(Path::new("C:\\a\nb")).is_err());
        let seen = RefCell::new(Vec::new());
        let call = |program: &str, args: &[&str]| {
            assert_eq!(program, "schtasks");
            if let Some(at) = args.iter().position(|arg| *arg == "/xml") {
                seen.borrow_mut().extend(std::fs::read(args[at + 1]).unwrap());
            }
            Ok(())
        };
        install(&text, &call).unwrap();
        let bytes = seen.take();
        assert_eq!(bytes[..2], [0xff, 0xfe]);
        let units: Vec<u16> = bytes
            .chunks(2)
            .skip(1)
            .map(|two| u16::from_le_bytes([two[0], two[1]]))
            .collect();
        assert_eq!(String::from_utf16(&units).unwrap(), text);
        assert!(is_installed(&call) && remove(&call).is_ok());
    }
}
