//! A real Chromium that opens one page and tells what the page found out.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::process::Server;
use crate::wait;

/// How long a page may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a page may say at most, bytes.
const REPORT_LEN_MAX: u64 = 1 << 20;

/// Without a window, a first-run question or a call home.
const ARGUMENTS: [&str; 12] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--autoplay-policy=no-user-gesture-required",
];

/// Where a page reports to.
#[derive(Debug)]
pub struct Reports {
    listener: TcpListener,
}

impl Reports {
    /// Listens.
    ///
    /// # Errors
    /// When no port is free.
    pub fn new() -> Result<Reports> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        Ok(Reports { listener })
    }

    /// The address for `navigator.sendBeacon(url, text)`.
    ///
    /// # Errors
    /// When the socket has none.
    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// Opens a page in a Chromium and waits for its report.
    ///
    /// # Errors
    /// When Chromium is not installed or ends, or the page says nothing.
    pub fn of(&self, url: &str) -> Result<String> {
        let folder = tempfile::Builder::new().prefix("chromium-").tempdir()?;
        let profile = format!("--user-data-dir={}", folder.path().display());
        let arguments = ARGUMENTS.iter().copied().chain([profile.as_str(), url]);
        let log = folder.path().join("output.log");
        let mut browser = Server::start("chromium", Path::new("chromium"), arguments, &log)?;
        let stream = wait::until("the page's report", PATIENCE, || match self.listener.accept() {
            Ok((stream, _)) => Some(Some(stream)),
            Err(_) => (!browser.is_running()).then_some(None),
        })?;
        let stream = stream.with_context(|| format!("chromium ended:\n{}", browser.output()))?;
        let report = read_report(stream)?;
        browser.terminate()?;
        Ok(report)
    }
}

fn read_report(stream: std::net::TcpStream) -> Result<String> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut stream = BufReader::new(stream);
    let mut len = None;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        if line.trim_end().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            len = Some(value.trim().parse::<u64>()?);
        }
    }
    let len = len.context("a report without a length")?;
    ensure!(len <= REPORT_LEN_MAX, "a report of {len} bytes");
    let mut report = String::new();
    (&mut stream).take(len).read_to_string(&mut report)?;
    stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n")?;
    Ok(report)
}
