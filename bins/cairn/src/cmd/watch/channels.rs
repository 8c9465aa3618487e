//! The ways to people, as the configuration says.

use anyhow::{Context, anyhow};
use fdfs_conf::WatchConf;
use fdfs_conf::watch::{EmailConf, SmtpEncryption, WebhookConf, WebhookKind};
use notify::{Channel, Email, EmailSettings, Encryption, Login, Secret, Webhook, WebhookSettings};
use watch_core::shape::Shape;

use crate::drive_parts::secret;

/// A channel and the section that it comes from.
#[derive(Debug, Clone)]
pub(crate) struct Named {
    pub name: String,
    pub channel: Channel,
}

/// The variable with the password of `[email]`.
const SMTP_PASSWORD: &str = "CAIRN_WATCH_SMTP_PASSWORD";

/// All channels; secrets are read here.
pub(crate) fn of(conf: &WatchConf) -> anyhow::Result<Vec<Named>> {
    let mut channels = Vec::new();
    for webhook in &conf.webhooks {
        let name = format!("webhook{}", webhook.number);
        let channel = Channel::Webhook(self::webhook(webhook).with_context(|| format!("[{name}]"))?);
        channels.push(Named { name, channel });
    }
    if let Some(email) = &conf.email {
        let channel = Channel::Email(self::email(email).context("[email]")?);
        channels.push(Named { name: "email".to_owned(), channel });
    }
    Ok(channels)
}

fn webhook(conf: &WebhookConf) -> anyhow::Result<Webhook> {
    let variable = |what: &str| format!("CAIRN_WATCH_WEBHOOK{}_{what}", conf.number);
    let url = match &conf.url {
        Some(url) => url.clone(),
        None => secret(conf.url_file.as_deref(), &variable("URL"))?.ok_or_else(|| {
            anyhow!("it needs an address: set url, url_file, or {} in the environment", variable("URL"))
        })?,
    };
    let shape = match conf.kind {
        WebhookKind::Json => Shape::Json,
        WebhookKind::DingTalk => Shape::DingTalk,
        WebhookKind::WeCom => Shape::WeCom,
        WebhookKind::Feishu => Shape::Feishu,
    };
    let secret = secret(conf.secret_file.as_deref(), &variable("SECRET"))?.map(Secret::new);
    Ok(Webhook::new(WebhookSettings { url: Secret::new(url), shape, secret })?)
}

fn email(conf: &EmailConf) -> anyhow::Result<Email> {
    let login = match &conf.user {
        None => None,
        Some(user) => {
            let password = secret(conf.password_file.as_deref(), SMTP_PASSWORD)?
                .ok_or_else(|| anyhow!("smtp_user needs its password: set smtp_password_file, or {SMTP_PASSWORD} in the environment"))?;
            Some(Login { user: user.clone(), password: Secret::new(password) })
        }
    };
    let encryption = match conf.encryption {
        SmtpEncryption::StartTls => Encryption::StartTls,
        SmtpEncryption::Tls => Encryption::Tls,
        SmtpEncryption::None => Encryption::None,
    };
    Ok(Email::new(EmailSettings {
        host: conf.server.clone(),
        port: conf.port,
        encryption,
        login,
        from: conf.from.clone(),
        to: conf.to.clone(),
    })?)
}
