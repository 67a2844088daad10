//! `mount`: snapshots as directories.

use crate::args::MountArgs;
use crate::output;
use crate::terminal::Terminal;
use serde_json::json;
use service::catalogue::report::browse as report;
use service::mount::{self, Request};
use service::units::escape;
use service::{Failure, Status};

pub fn run(terminal: &Terminal, args: &MountArgs) -> Result<Status, Failure> {
    let request = Request {
        mountpoint: args.mountpoint.clone(),
        filter: args.filter.filter()?,
        allow_other: args.allow_other,
    };
    let mut mounted = |snapshots| match terminal.json() {
        true => output::object(&json!({
            "message_type": "mounted",
            "mountpoint": args.mountpoint.to_string_lossy(),
            "snapshots": snapshots,
        })),
        false if terminal.talks() => {
            let path = escape(args.mountpoint.as_os_str().as_encoded_bytes());
            output::line(&report::mounted(terminal.lang, snapshots, &path))
        }
        false => Ok(()),
    };
    let status = mount::run(&terminal.context, &request, terminal, &mut mounted)?;
    if terminal.json() {
        output::object(
            &json!({ "message_type": "summary", "mountpoint": args.mountpoint.to_string_lossy() }),
        )?;
    }
    Ok(status)
}
