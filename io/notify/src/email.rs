//! Messages by mail.

use std::fmt;

use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use watch_core::Message;

use crate::secret::Secret;
use crate::{CONNECT_WAIT, SendError, SettingsError, chain};

/// Longest text of a mail.
const TEXT_LEN_MAX: usize = 200_000;

/// How the way to the server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// TLS from the first byte; port 465.
    Tls,
    /// TLS before anything is said, or nothing is; port 587.
    StartTls,
    /// Not at all.
    None,
}

/// Who we are to the server.
#[derive(Debug, Clone)]
pub struct Login {
    /// The user's name.
    pub user: String,
    /// The user's password.
    pub password: Secret,
}

/// How mails are sent.
#[derive(Debug, Clone)]
pub struct EmailSettings {
    /// The server's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way to it is protected.
    pub encryption: Encryption,
    /// Who we are to it, if it asks.
    pub login: Option<Login>,
    /// Who writes: `name@host`, or `Name <name@host>`.
    pub from: String,
    /// Who reads.
    pub to: Vec<String>,
}

/// Mails to some people.
#[derive(Clone)]
pub struct Email {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    host: String,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Email").field("host", &self.host).field("to", &self.to.len()).finish_non_exhaustive()
    }
}

impl Email {
    /// Mails of these settings; nothing is sent yet.
    ///
    /// # Errors
    /// When an address is none, or TLS cannot be set up.
    pub fn new(settings: EmailSettings) -> Result<Self, SettingsError> {
        let tls = |host: &str| {
            TlsParameters::new(host.to_owned()).map_err(|error| SettingsError::Tls(chain(&error)))
        };
        let protection = match settings.encryption {
            Encryption::Tls => Tls::Wrapper(tls(&settings.host)?),
            Encryption::StartTls => Tls::Required(tls(&settings.host)?),
            Encryption::None => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(settings.host.clone())
            .port(settings.port)
            .tls(protection)
            .timeout(Some(CONNECT_WAIT));
        if let Some(name) = host_name() {
            builder = builder.hello_name(ClientId::Domain(name));
        }
        if let Some(login) = settings.login {
            builder = builder.credentials(Credentials::new(login.user, login.password.expose().to_owned()));
        }
        Ok(Self {
            transport: builder.build(),
            from: mailbox(&settings.from)?,
            to: settings.to.iter().map(|address| mailbox(address)).collect::<Result<_, _>>()?,
            host: settings.host,
        })
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) async fn send(&self, message: &Message) -> Result<(), SendError> {
        let mail = self.mail(message)?;
        self.transport.send(mail).await.map(|_| ()).map_err(|error| SendError::Smtp(chain(&error)))
    }

    fn mail(&self, message: &Message) -> Result<lettre::Message, SendError> {
        let unwritable = |error: &dyn std::error::Error| SendError::Unwritable(chain(error));
        let mut mail = lettre::Message::builder().from(self.from.clone());
        for to in &self.to {
            mail = mail.to(to.clone());
        }
        let mut mail = mail
            .subject(message.title())
            .header(ContentType::TEXT_PLAIN)
            .body(message.text(TEXT_LEN_MAX))
            .map_err(|error| unwritable(&error))?;
        // So that nobody's absence answers it.
        let name = HeaderName::new_from_ascii_str("Auto-Submitted");
        mail.headers_mut().insert_raw(HeaderValue::new(name, "auto-generated".to_owned()));
        Ok(mail)
    }
}

fn mailbox(address: &str) -> Result<Mailbox, SettingsError> {
    address
        .trim()
        .parse()
        .map_err(|error| SettingsError::Mailbox { address: address.to_owned(), reason: chain(&error) })
}

/// What we call ourselves to the server: this machine's name, where it is one.
fn host_name() -> Option<String> {
    let system = rustix::system::uname();
    let name = system.nodename().to_str().ok()?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    (!name.is_empty() && name.bytes().all(fits)).then(|| name.to_owned())
}
