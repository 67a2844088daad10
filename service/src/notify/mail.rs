//! Mail by SMTP: one recipient, plain text and HTML.

use super::channel::{Attempt, Channel, LIMIT, Unsent};
use super::message::Message;
use crate::catalogue::What;
use crate::env::Env;
use crate::secret::{self, Hidden};
use crate::settings::tables::MailTable;
use crate::settings::values::MailTls;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, SmtpTransport, Transport};
use std::time::SystemTime;

/// The port for mail from programs (RFC 6409).
const PORT: u16 = 587;

pub(super) struct Mail {
    table: MailTable,
    to: String,
    env: Env,
}

impl Mail {
    pub fn new(table: &MailTable, to: &str, env: &Env) -> Mail {
        Mail {
            table: table.clone(),
            to: to.to_string(),
            env: env.clone(),
        }
    }

    fn credentials(&self) -> Result<Option<Credentials>, Unsent> {
        let Some(user) = &self.table.user else {
            return Ok(None);
        };
        let password = match &self.table.password_file {
            None => Hidden::new(""),
            Some(path) => {
                let path = path.expand(&self.env);
                let password = path.and_then(|path| secret::read_first_line(What::SmtpPassword, &path));
                password.map_err(|failure| Unsent::down(failure.message()))?
            }
        };
        let password = password.expose().to_string();
        Ok(Some(Credentials::new(user.clone(), password)))
    }

    fn transport(&self, host: &str) -> Result<SmtpTransport, Unsent> {
        let server = self.table.server.0.trim_matches(['[', ']']).to_string();
        let parameters = || TlsParameters::new(server.clone()).map_err(|e| Unsent::down(said(&e)));
        let tls = match self.table.tls.unwrap_or(MailTls::StartTls) {
            MailTls::StartTls => Tls::Required(parameters()?),
            MailTls::Implicit => Tls::Wrapper(parameters()?),
            MailTls::None => Tls::None,
        };
        let mut builder = SmtpTransport::builder_dangerous(server)
            .port(self.table.port.map_or(PORT, |port| port.0))
            .tls(tls)
            .timeout(Some(LIMIT));
        // The name goes into the protocol as it is.
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if !host.is_empty() && host.chars().all(plain) {
            builder = builder.hello_name(ClientId::Domain(host.to_string()));
        }
        if let Some(credentials) = self.credentials()? {
            builder = builder.credentials(credentials);
        }
        Ok(builder.build())
    }

    fn letter(&self, message: &Message) -> Result<lettre::Message, Unsent> {
        let mailbox = |address: &str| match address.parse::<Address>() {
            Ok(address) => Ok(Mailbox::new(None, address)),
            Err(e) => Err(Unsent::refused(format!("{address}: {e}"))),
        };
        // What answers by itself does not answer this (RFC 3834).
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        lettre::Message::builder()
            .from(mailbox(&self.table.from.0)?)
            .to(mailbox(&self.to)?)
            .subject(&message.title)
            .date(SystemTime::now())
            .message_id(None)
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_string()))
            .multipart(MultiPart::alternative_plain_html(
                message.text.clone(),
                message.html.clone(),
            ))
            .map_err(|e| Unsent::refused(e.to_string()))
    }
}

impl Channel for Mail {
    fn prepare(&self, message: &Message) -> Result<Attempt, Unsent> {
        let letter = self.letter(message)?;
        let transport = self.transport(&message.host)?;
        Ok(Box::new(move || match transport.send(&letter) {
            Ok(_) => Ok(()),
            // Of one recipient, or of the password, which is the same for all but may not be tried too often.
            Err(e) if e.is_permanent() => Err(Unsent::refused(said(&e))),
            Err(e) => Err(Unsent::down(said(&e))),
        }))
    }
}

/// An error with its causes, each once.
pub(super) fn said(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text += &format!(": {cause_text}");
        }
        next = cause.source();
    }
    text
}
