//! `key`: what opens a repository.

use super::AskArgs;
use clap::{Args, Subcommand};
use service::resolve::NewSecretOptions;
use std::ffi::OsString;
use std::path::PathBuf;

#[derive(Subcommand, Debug)]
pub enum KeyCommand {
    /// Add a password or key file that opens the repository
    Add(NewSecretArgs),
    /// List passwords, key files and recovery phrases
    List,
    /// Remove a password, key file or recovery phrase
    Remove(KeyRemoveArgs),
    /// Replace the password or key file that the repository was opened with
    Passwd(NewSecretArgs),
    /// Save the sealed keys to FILE in case the repository loses them; a password or key file is still needed to use them
    Export(KeyExportArgs),
    /// Create a recovery phrase and print it once
    Recovery,
}

/// Without any of these, a new password is asked for, twice.
#[derive(Args, Clone, Debug, Default)]
pub struct NewSecretArgs {
    /// Read the new password from the first line of FILE
    #[arg(long, value_name = "FILE", conflicts_with_all = ["new_password_command", "new_key_file"])]
    pub new_password_file: Option<OsString>,
    /// Run COMMAND in a shell and use the first line of its output as the new password
    #[arg(long, value_name = "COMMAND", conflicts_with = "new_key_file")]
    pub new_password_command: Option<OsString>,
    /// Use this key file; it is created if it does not exist
    #[arg(long, value_name = "FILE")]
    pub new_key_file: Option<OsString>,
}

impl From<&NewSecretArgs> for NewSecretOptions {
    fn from(args: &NewSecretArgs) -> NewSecretOptions {
        NewSecretOptions {
            password_file: args.new_password_file.clone(),
            password_command: args.new_password_command.clone(),
            key_file: args.new_key_file.clone(),
        }
    }
}

#[derive(Args, Clone, Debug)]
pub struct KeyRemoveArgs {
    /// Id of the key, or its beginning, as 'key list' shows it
    pub slot: String,
    #[command(flatten)]
    pub ask: AskArgs,
}

#[derive(Args, Clone, Debug)]
pub struct KeyExportArgs {
    pub file: PathBuf,
}
