//! `cairn monitor --live`: the same, drawn anew every few seconds, with what happens in each.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use doctor_core::words;
use fdfs_client::{Client, StorageStatus};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use tokio::sync::mpsc;

use super::{Behind, Member, Seen, address, behind, look};
use crate::fdfs::human;
use crate::messages::Language;

/// Keys that were pressed and not looked at yet; whoever presses more waits.
const KEYS_MAX: usize = 16;
/// Lines of a page up or down.
const PAGE: u16 = 10;
/// Columns between two cells.
const GAP: usize = 2;
const COLUMNS: usize = 10;

/// Draws until `q` is pressed.
pub(super) fn run(
    client: &Client,
    only: Option<&str>,
    every: Duration,
    language: Language,
) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(io::stdout().is_terminal(), "--live needs a terminal; --json is for programs");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Before the terminal is another: what is wrong from the start is said where it stays.
    let first = runtime.block_on(look(client, only))?;
    let mut screen = Screen { language, every, ..Screen::default() };
    screen.seen(first, Instant::now());
    let mut terminal = ratatui::try_init().context("set the terminal up")?;
    let outcome = runtime.block_on(draw(&mut terminal, &mut screen, client, only));
    ratatui::try_restore().context("set the terminal back")?;
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn draw(
    terminal: &mut ratatui::DefaultTerminal,
    screen: &mut Screen,
    client: &Client,
    only: Option<&str>,
) -> anyhow::Result<()> {
    let mut keys = keys();
    loop {
        let every = screen.every;
        let next = async {
            tokio::time::sleep(every).await;
            look(client, only).await
        };
        let mut next = Box::pin(next);
        let seen = loop {
            let lines = screen.lines();
            terminal.draw(|frame| {
                let area = frame.area();
                screen.scroll = screen.scroll.min(last_line(lines.len(), area.height));
                frame.render_widget(Paragraph::new(lines).scroll((screen.scroll, 0)), area);
            })?;
            tokio::select! {
                key = keys.recv() => match key {
                    Some(Pressed::Quit) => return Ok(()),
                    Some(Pressed::By(lines)) => screen.scroll = screen.scroll.saturating_add_signed(lines),
                    Some(Pressed::Nothing) => {}
                    None => anyhow::bail!("the terminal is gone"),
                },
                seen = &mut next => break seen,
            }
        };
        match seen {
            Ok(seen) => screen.seen(seen, Instant::now()),
            Err(error) => screen.error = Some(format!("{error:#}")),
        }
    }
}

/// How far it can be scrolled.
fn last_line(lines: usize, height: u16) -> u16 {
    u16::try_from(lines.saturating_sub(height.into())).unwrap_or(u16::MAX)
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pressed {
    Quit,
    By(i16),
    /// The terminal has another size.
    Nothing,
}

/// Reads keys on a thread of their own, which ends with the program.
fn keys() -> mpsc::Receiver<Pressed> {
    let (sender, keys) = mpsc::channel(KEYS_MAX);
    thread::spawn(move || {
        while let Ok(event) = event::read() {
            let pressed = match event {
                Event::Key(key) if key.kind != KeyEventKind::Release => of_key(key.code, key.modifiers),
                Event::Resize(..) => Some(Pressed::Nothing),
                _ => None,
            };
            if pressed.is_some_and(|pressed| sender.blocking_send(pressed).is_err()) {
                return;
            }
        }
    });
    keys
}

fn of_key(code: KeyCode, modifiers: KeyModifiers) -> Option<Pressed> {
    let page = PAGE.cast_signed();
    match code {
        KeyCode::Char('q') | KeyCode::Esc => Some(Pressed::Quit),
        KeyCode::Char('c') if modifiers.contains(KeyModifiers::CONTROL) => Some(Pressed::Quit),
        KeyCode::Down | KeyCode::Char('j') => Some(Pressed::By(1)),
        KeyCode::Up | KeyCode::Char('k') => Some(Pressed::By(-1)),
        KeyCode::PageDown | KeyCode::Char(' ') => Some(Pressed::By(page)),
        KeyCode::PageUp => Some(Pressed::By(-page)),
        _ => None,
    }
}

/// What a storage has counted: uploads, downloads, bytes in, bytes out.
type Counts = [u64; 4];

/// Each in a second. None of a storage that was not there before, or has begun anew.
type Rates = Option<[f64; 4]>;

/// What is shown.
#[derive(Default)]
struct Screen {
    language: Language,
    every: Duration,
    groups: Vec<Seen>,
    /// Why the last look was none: what is shown is older.
    error: Option<String>,
    counted: Option<(Instant, BTreeMap<String, Counts>)>,
    rates: BTreeMap<String, Rates>,
    scroll: u16,
}

fn key_of(member: &Member) -> String {
    format!("{} {}", member.stat.who.id, address(&member.stat))
}

fn counts_of(member: &Member) -> Counts {
    let stat = &member.stat.figures.stat;
    [
        stat.success_upload_count,
        stat.success_download_count,
        stat.success_upload_bytes,
        stat.success_download_bytes,
    ]
}

fn rates(before: Option<&Counts>, now: &Counts, seconds: f64) -> Rates {
    let before = before?;
    if seconds <= 0.0 {
        return None;
    }
    let mut rates = [0.0; 4];
    for (rate, (now, before)) in rates.iter_mut().zip(now.iter().zip(before)) {
        *rate = now.checked_sub(*before)? as f64 / seconds;
    }
    Some(rates)
}

impl Screen {
    fn seen(&mut self, groups: Vec<Seen>, at: Instant) {
        let members = groups.iter().flat_map(|(_, members)| members);
        let counts: BTreeMap<_, _> = members.map(|member| (key_of(member), counts_of(member))).collect();
        if let Some((before_at, before)) = &self.counted {
            let seconds = at.duration_since(*before_at).as_secs_f64();
            let rate = |(key, now): (&String, &Counts)| (key.clone(), rates(before.get(key), now, seconds));
            self.rates = counts.iter().map(rate).collect();
        }
        self.counted = Some((at, counts));
        self.groups = groups;
        self.error = None;
    }

    fn words(&self, words: [&'static str; 2]) -> &'static str {
        let [english, chinese] = words;
        match self.language {
            Language::English => english,
            Language::Chinese => chinese,
        }
    }

    fn lines(&self) -> Vec<Line<'static>> {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let dim = Style::new().add_modifier(Modifier::DIM);
        let seconds = self.every.as_secs();
        let keys = match self.language {
            Language::English => format!("every {seconds} s; arrows scroll, q quits"),
            Language::Chinese => format!("每 {seconds} 秒刷新；方向键滚动，q 退出"),
        };
        let mut lines =
            vec![Line::from(vec![Span::styled("cairn monitor  ", bold), Span::styled(keys, dim)])];
        if let Some(error) = &self.error {
            let words = self.words(["older figures, trying again", "以下是较早的数据，正在重试"]);
            lines.push(Line::styled(format!("{words}: {error}"), Color::Red));
        }
        if self.groups.is_empty() {
            lines.push(Line::raw(""));
            lines.push(Line::raw(
                self.words(["no groups: no storage has joined yet", "没有组：还没有 storage 加入"]),
            ));
        }
        for (group, members) in &self.groups {
            lines.push(Line::raw(""));
            let space = match self.language {
                Language::English => format!(
                    "  {} of {} free, {} reserved",
                    human::megabytes(group.free_mb),
                    human::megabytes(group.total_mb),
                    human::megabytes(group.reserved_mb)
                ),
                Language::Chinese => format!(
                    "  空闲 {}，共 {}，保留 {}",
                    human::megabytes(group.free_mb),
                    human::megabytes(group.total_mb),
                    human::megabytes(group.reserved_mb)
                ),
            };
            lines.push(Line::from(vec![Span::styled(group.group.to_string(), bold), Span::raw(space)]));
            lines.extend(self.table(members, dim));
            for member in members {
                for found in member.found() {
                    let (what, todo) = words::of(&found, self.language);
                    lines.push(Line::styled(format!("  {what}"), Color::Yellow));
                    lines.push(Line::styled(format!("    → {todo}"), Color::Yellow));
                }
            }
        }
        lines
    }

    /// Members under a heading, in columns that line up, however wide a letter is.
    fn table(&self, members: &[Member], heading: Style) -> Vec<Line<'static>> {
        let names: [[&str; 2]; COLUMNS] = [
            ["address", "地址"],
            ["status", "状态"],
            ["free", "空闲"],
            ["open", "连接"],
            ["up/s", "上传/秒"],
            ["down/s", "下载/秒"],
            ["in/s", "流入/秒"],
            ["out/s", "流出/秒"],
            ["behind", "落后"],
            ["version", "版本"],
        ];
        let mut rows = vec![names.map(|name| self.words(name).to_owned())];
        rows.extend(
            members.iter().enumerate().map(|(index, member)| self.cells(member, behind(members, index))),
        );
        let width = |column: usize| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| wide(cell)).max().unwrap_or(0)
        };
        let widths: [usize; COLUMNS] = std::array::from_fn(width);
        let mut lines = Vec::new();
        for (row, member) in rows.iter().zip(std::iter::once(None).chain(members.iter().map(Some))) {
            let mut spans = vec![Span::raw("  ")];
            for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
                let style = match (member, column) {
                    (None, _) => heading,
                    (Some(member), 1) => status_style(member.stat.who.status),
                    _ => Style::new(),
                };
                let room = " ".repeat(width - wide(cell) + GAP);
                spans.push(Span::styled(cell.clone(), style));
                spans.push(Span::raw(room));
            }
            lines.push(Line::from(spans));
        }
        lines
    }

    fn cells(&self, member: &Member, behind: Behind) -> [String; COLUMNS] {
        let stat = &member.stat;
        let rates = self.rates.get(&key_of(member)).copied().flatten();
        let rate = |at: usize, show: fn(f64) -> String| {
            rates.and_then(|rates| rates.get(at).copied()).map_or_else(|| "-".to_owned(), show)
        };
        let number = |rate: f64| format!("{rate:.1}");
        let bytes = |rate: f64| human::bytes(rate as u64);
        [
            address(stat),
            stat.who.status.caption().to_owned(),
            human::megabytes(stat.figures.free_mb),
            stat.figures.stat.connection_current_count.to_string(),
            rate(0, number),
            rate(1, number),
            rate(2, bytes),
            rate(3, bytes),
            match behind {
                Behind::Nothing => "-".to_owned(),
                Behind::Never => self.words(["never synced", "从未同步"]).to_owned(),
                Behind::Seconds(seconds) => human::seconds(seconds),
            },
            stat.figures.version.to_string(),
        ]
    }
}

fn wide(text: &str) -> usize {
    Span::raw(text).width()
}

fn status_style(status: StorageStatus) -> Style {
    match status {
        StorageStatus::Active => Color::Green.into(),
        StorageStatus::Offline | StorageStatus::Deleted | StorageStatus::IpChanged => Color::Red.into(),
        _ => Color::Yellow.into(),
    }
}

#[cfg(test)]
mod tests {
    use fdfs_client::GroupStat;
    use fdfs_proto::tracker::list_storages;

    use super::*;

    #[test]
    fn rates_are_of_the_time_between_two_looks_and_none_of_what_began_anew() {
        let before = [10, 20, 1_000, 0];
        assert_eq!(rates(Some(&before), &[14, 20, 3_000, 8], 2.0), Some([2.0, 0.0, 1_000.0, 4.0]));
        assert_eq!(rates(Some(&before), &[2, 20, 3_000, 8], 2.0), None);
        assert_eq!(rates(Some(&before), &before, 0.0), None);
        assert_eq!(rates(None, &before, 2.0), None);
    }

    #[test]
    fn keys_scroll_and_quit_and_others_do_nothing() {
        let none = KeyModifiers::NONE;
        assert_eq!(of_key(KeyCode::Char('q'), none), Some(Pressed::Quit));
        assert_eq!(of_key(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Pressed::Quit));
        assert_eq!(of_key(KeyCode::Char('c'), none), None);
        assert_eq!(of_key(KeyCode::PageUp, none), Some(Pressed::By(-10)));
    }

    #[test]
    fn it_is_not_scrolled_beyond_its_last_line() {
        assert_eq!(last_line(50, 20), 30);
        assert_eq!(last_line(10, 20), 0);
    }

    #[test]
    fn without_groups_it_says_so_in_both_languages() {
        let shown = |language| {
            let screen = Screen { language, every: Duration::from_secs(2), ..Screen::default() };
            screen.lines().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        assert!(
            shown(Language::English).contains("every 2 s") && shown(Language::English).contains("no groups")
        );
        assert!(shown(Language::Chinese).contains("每 2 秒") && shown(Language::Chinese).contains("没有组"));
    }

    #[test]
    fn what_is_wrong_with_copies_is_said_in_the_language_of_the_screen() {
        let mut wire = vec![0; 487];
        wire[..8].copy_from_slice(b"\x07\x06100001");
        let stat = list_storages::Got::decode(&wire).unwrap().storages[0];
        let mut group = [0; 113];
        group[0] = b'g';
        let group = GroupStat::decode(&group).unwrap();
        let shown = |language| {
            let mut screen = Screen { language, ..Screen::default() };
            let figures = ["scrub_bad_total", "scrub_mended_total"].map(|name| (name.to_owned(), 1)).into();
            screen.groups = vec![(group, vec![Member { stat, figures }])];
            screen.lines().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        assert!(shown(Language::English).contains("1 bad and 0 missing copies were found, and all mended"));
        assert!(shown(Language::Chinese).contains("发现损坏副本 1 个"), "{}", shown(Language::Chinese));
    }

    #[test]
    fn letters_of_two_columns_are_counted_as_such() {
        assert_eq!([wide("状态"), wide("status")], [4, 6]);
    }
}
