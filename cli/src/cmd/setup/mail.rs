//! Who is told of failures. Each answer is checked as it is given, and all of them by a test mail; settings are written
//! once it was sent.

use super::Guide;
use service::catalogue::report::setup::{self as say, Ask};
use service::face::Face;
use service::notify;
use service::notify::channel::ChannelKind;
use service::secret::{Hidden, PasswordPrompt};
use service::setup::MailAnswers;
use service::units::escape;
use service::{Failure, setup};
use std::num::NonZeroU16;
use std::path::PathBuf;

impl Guide<'_> {
    pub(super) fn mail(&self) -> Result<(), Failure> {
        if self.context().settings.notify.mail.is_some() {
            return Ok(());
        }
        let mut before: Option<MailAnswers> = None;
        loop {
            let Some(to) = self.mail_address(before.as_ref())? else {
                return Ok(());
            };
            let mail = self.mail_server(to, before.as_ref())?;
            match self.try_mail(&mail) {
                Ok(None) => {
                    self.tell(&say::mail_sent(self.lang(), &escape(mail.to.as_bytes())));
                    return Ok(());
                }
                Ok(Some(why)) => self.tell(&say::mail_failed(self.lang(), &escape(why.as_bytes()))),
                Err(failure) => self.tell_failure(&failure),
            }
            if let Some(path) = &mail.password_file {
                // It was for a server that is not used.
                let _ = std::fs::remove_file(path);
            }
            if self.choose(Ask::MailAgain, &["yes", "no"])? == "no" {
                return Ok(());
            }
            before = Some(mail);
        }
    }

    /// `None` for no mail.
    fn mail_address(&self, before: Option<&MailAnswers>) -> Result<Option<String>, Failure> {
        loop {
            let to = match before {
                None => self.ask(Ask::Mail, "")?,
                Some(before) => self.ask(Ask::MailAddress, &before.to)?,
            };
            if to.is_empty() {
                return Ok(None);
            }
            match setup::check_mail_address(&to) {
                Ok(()) => return Ok(Some(to)),
                Err(failure) => self.tell_failure(&failure),
            }
        }
    }

    /// What sends mail to this address. What was answered before is the default where it may still be right.
    fn mail_server(&self, to: String, before: Option<&MailAnswers>) -> Result<MailAnswers, Failure> {
        let host = host_of(&to);
        let same = before.filter(|before| host_of(&before.to) == host);
        let server = self.server(&same.map_or_else(|| format!("smtp.{host}"), |same| same.server.clone()))?;
        let usual = same.map_or("starttls", |same| same.tls.as_str());
        let tls = self.choose_or(Ask::MailTls, &["starttls", "implicit", "none"], usual)?;
        let port = match same.filter(|same| same.tls == tls) {
            Some(same) => same.port,
            None if tls == "implicit" => 465,
            None => 587,
        };
        let port = self.port(port)?;
        let user = self.ask(Ask::MailUser, "")?;
        let password_file = match user.is_empty() {
            true => None,
            false => Some(self.mail_password()?),
        };
        Ok(MailAnswers {
            to,
            server,
            port,
            tls: tls.to_string(),
            user,
            password_file,
        })
    }

    fn server(&self, usual: &str) -> Result<String, Failure> {
        loop {
            let server = self.ask(Ask::MailServer, usual)?;
            match setup::check_host(&server) {
                Ok(()) => return Ok(server),
                Err(failure) => self.tell_failure(&failure),
            }
        }
    }

    fn port(&self, usual: u16) -> Result<u16, Failure> {
        loop {
            let answer = self.ask(Ask::MailPort, &usual.to_string())?;
            match answer.parse::<NonZeroU16>() {
                Ok(port) => return Ok(port.get()),
                Err(_) => self.tell(&say::not_a_port(self.lang(), &escape(answer.as_bytes()))),
            }
        }
    }

    fn mail_password(&self) -> Result<PathBuf, Failure> {
        self.say_where_password("smtp")?;
        let password = self.terminal.password(PasswordPrompt::Known)?;
        let password = password.unwrap_or_else(|| Hidden::new(""));
        setup::keep_password(&self.context().env, "smtp", &password)
    }

    /// Why the test mail was not sent. If it was, the settings have these answers.
    fn try_mail(&self, mail: &MailAnswers) -> Result<Option<String>, Failure> {
        let context = setup::with_mail(self.context(), mail)?;
        let reports = notify::test(&context, Some(ChannelKind::Mail))?;
        let why = reports.into_iter().find_map(|report| report.done.err());
        if why.is_none() {
            setup::write_mail(&self.context().env, mail)?;
        }
        Ok(why)
    }
}

fn host_of(address: &str) -> &str {
    address.rsplit('@').next().unwrap_or_default()
}
