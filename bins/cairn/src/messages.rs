//! What `cairn` says to people, in English and Chinese, in one place.
//!
//! Only text meant for eyes is here. What scripts parse (the classic tools, `--json`, logs) is the same in
//! every language and stands where it is made.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

pub(crate) use doctor_core::Language;
use store::fsck::Summary;
use store::unpack::Unpacked;
use transfer::{GetReport, PutReport, RemoveReport};

use crate::cmd::backup::Kept;
use crate::fdfs::human;
use crate::shell;

/// The language the environment asks for: by the first of `LC_ALL`, `LC_MESSAGES` and `LANG` that is set.
pub(crate) fn language_of_environment() -> Language {
    let set = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .iter()
        .filter_map(|name| std::env::var(name).ok())
        .find(|value| !value.is_empty());
    Language::of_locale(set.as_deref().unwrap_or_default())
}

/// Everything there is to say.
#[derive(Debug)]
pub(crate) enum Say<'a> {
    /// `up` serves; what to type next.
    UpReady {
        data: &'a Path,
        tracker: SocketAddr,
        storage: SocketAddr,
        group: &'a str,
        http: SocketAddr,
        drive: SocketAddr,
        status: SocketAddr,
    },
    /// How the first administrator signs in to the drive; the file that keeps the password.
    UpSignIn { drive: SocketAddr, password: &'a str, file: &'a Path },
    /// The disk is full, and `up` serves all the same.
    UpFull { data: &'a Path },
    /// What to type next, one line each.
    UpTry { program: &'a str, client_conf: &'a Path },
    /// How `up` ends.
    UpStop,
    /// `up` ends.
    UpStopping,
    /// Another `up` has the folder.
    AlreadyUp { data: &'a Path, pid: i32 },
    /// A port is in use.
    PortTaken { address: SocketAddr, holder: Option<&'a str>, option: &'a str },
    /// `--listen` with an address no client can be sent to.
    ListenNeedsAnAddress { suggestion: Option<std::net::IpAddr> },
    /// The cluster serves; what to type next.
    ClusterReady { folder: &'a Path, client_conf: &'a Path, program: &'a str },
    /// The folder holds no cluster.
    ClusterMissing { folder: &'a Path, program: &'a str },
    /// Options for a first start, and the cluster is another one.
    ClusterIsMade { folder: &'a Path },
    /// A server's address is in use.
    ClusterAddressTaken { name: &'a str, address: SocketAddr, holder: Option<&'a str> },
    /// What is waited for: servers, each with its state.
    ClusterWaits { states: &'a [String] },
    /// It was waited for in vain.
    ClusterNotReady { seconds: u64, states: &'a [String], log: &'a Path },
    /// A server ended while it was waited for.
    ClusterServerEnded { name: &'a str, log: &'a Path },
    /// Storages run, and no tracker.
    ClusterHasNoTracker,
    /// A cluster is gone.
    ClusterRemoved { folder: &'a Path },
    /// A folder holds servers, and was not made by `cluster start`.
    ClusterIsNotOurs { folder: &'a Path },
    /// Nobody said that a cluster shall really be deleted.
    ClusterRemoveNeedsYes { folder: &'a Path, servers: usize, program: &'a str },
    /// A folder is in the cluster.
    PutDone { report: &'a PutReport, manifest: &'a Path, program: &'a str, conf: Option<&'a Path> },
    /// A folder is not all in the cluster.
    PutIncomplete { report: &'a PutReport, manifest: &'a Path },
    /// A folder is back.
    GetDone { report: &'a GetReport, target: &'a Path },
    /// A folder is not all back.
    GetIncomplete { report: &'a GetReport },
    /// Files were deleted.
    Removed { report: &'a RemoveReport },
    /// Nothing is deleted, as the manifest of the same folder here lists some of it, too.
    RemoveShares { manifest: &'a Path, files: usize },
    /// A manifest was to be removed as if it were one file.
    RemoveNeedsRecursive { source: &'a str },
    /// A store was checked.
    /// `marked` files were marked for the storage to mend.
    Checked { summary: &'a Summary, content: bool, marked: Option<usize> },
    /// Packed files are files of their own; `conf` when its `pack_max_size` is not 0.
    Unpacked { done: &'a Unpacked, conf: Option<&'a Path> },
    /// A drive is in a folder.
    BackedUp { done: &'a Kept },
    /// A drive is back.
    Restored { done: &'a Kept, made_at: &'a str },
    /// A test message was sent, or why not.
    WatchTested { channel: &'a str, host: &'a str, failure: Option<&'a str> },
    /// The links to the tools were made.
    ToolsInstalled { count: usize, folder: &'a Path },
    /// Something that is not a link of ours is in the way.
    ToolInTheWay { path: &'a Path },
}

impl Say<'_> {
    /// The text in this language. May have several lines; no newline at the end.
    pub(crate) fn in_language(&self, language: Language) -> String {
        match language {
            Language::English => self.english(),
            Language::Chinese => self.chinese(),
        }
    }

    fn english(&self) -> String {
        match self {
            Self::UpReady { data, tracker, storage, group, http, drive, status } => format!(
                "cairn is up, all data is in {}\n\n  tracker  {tracker}\n  storage  {storage}  {group}\n  files    http://{http}/{group}/M00/…\n  drive    http://{drive}\n  metrics  http://{status}/metrics",
                data.display()
            ),
            Self::UpSignIn { drive, password, file } => format!(
                "Sign in at http://{drive} as admin with the password {password}\nChange it there, and then delete {}.",
                shell::path(file)
            ),
            Self::UpFull { data } => format!(
                "The disk of {} is full: uploads are refused until there is room again. Files can be read, and deleted.",
                data.display()
            ),
            Self::UpTry { program, client_conf } => format!(
                "In another shell:\n\n{}",
                Trials { program, client_conf, words: ["a file", "a folder", "back again", "who is there"] }
            ),
            Self::UpStop => "Ctrl-C stops.".to_owned(),
            Self::UpStopping => "Stopping …".to_owned(),
            Self::AlreadyUp { data, pid } => {
                format!(
                    "cairn is already up in {}, pid {pid}: use it, stop it, or choose another --data",
                    data.display()
                )
            }
            Self::PortTaken { address, holder, option } => {
                let who = holder.map_or_else(|| "another process".to_owned(), ToString::to_string);
                format!("{address} is taken by {who}: stop it, or choose another port with {option}")
            }
            Self::ListenNeedsAnAddress { suggestion } => {
                let example = suggestion.map(|ip| format!(", for example --listen {ip}")).unwrap_or_default();
                format!(
                    "--listen needs the address that clients reach this machine by, because they are told it{example}"
                )
            }
            Self::ClusterReady { folder, client_conf, program } => format!(
                "The cluster serves, all of it is in {}. Try:\n\n{}",
                folder.display(),
                ClusterTrials { program, folder, client_conf, words: ["a file", "who is up", "stops it"] }
            ),
            Self::ClusterMissing { folder, program } => {
                let (program, shown) = (shell::Word(program), shell::path(folder));
                format!("no cluster is in {shown}: {program} cluster start --dir {shown} makes one")
            }
            Self::ClusterIsMade { folder } => format!(
                "{} holds a cluster of another --shape, --first-ip or --storage-ids: choose another --dir, or leave these options out",
                folder.display()
            ),
            Self::ClusterAddressTaken { name, address, holder } => {
                let who = holder.map_or_else(|| "another process".to_owned(), ToString::to_string);
                format!(
                    "{name}: {address} is taken by {who}: stop it, or make a cluster elsewhere \
                     with --dir and --first-ip"
                )
            }
            Self::ClusterWaits { states } => format!("waiting: {}", states.join(", ")),
            Self::ClusterNotReady { seconds, states, log } => format!(
                "not ready after {seconds} s, the servers still run: {}; see {}",
                states.join(", "),
                log.display()
            ),
            Self::ClusterServerEnded { name, log } => format!("{name} has ended: see {}", log.display()),
            Self::ClusterHasNoTracker => "no tracker runs: start one".to_owned(),
            Self::ClusterRemoved { folder } => format!("{} is deleted", folder.display()),
            Self::ClusterIsNotOurs { folder } => format!(
                "{} was not made by cluster start, so it is not deleted: stop its servers and delete it by hand",
                folder.display()
            ),
            Self::ClusterRemoveNeedsYes { folder, servers, program } => {
                let (program, shown) = (shell::Word(program), shell::path(folder));
                format!(
                    "this stops {servers} servers and deletes {shown} with every file in it: \
                     {program} cluster remove --dir {shown} --yes"
                )
            }
            Self::PutDone { report, manifest, program, conf } => format!(
                "{} files, {} in the cluster ({} sent now, {} had been sent before)\n\
                 manifest: {}; back again with: {program} get {}{} {}",
                report.listed.files,
                human::bytes(report.listed.bytes),
                report.sent,
                report.skipped,
                manifest.display(),
                conf_option(*conf),
                shell::path(manifest),
                back_folder(manifest),
                program = shell::Word(program)
            ),
            Self::PutIncomplete { report, manifest } => format!(
                "not complete: {} files sent now, {} had been sent before, {} failed{}\n\
                 put the folder again to go on from here (manifest: {})",
                report.sent,
                report.skipped,
                report.failures,
                if report.gave_up { "; too many failed in a row, so the rest was not tried" } else { "" },
                manifest.display()
            ),
            Self::GetDone { report, target } => format!(
                "{} files, {} fetched and verified, {} were there already: {}",
                report.fetched,
                human::bytes(report.bytes_fetched),
                report.skipped,
                target.display()
            ),
            Self::GetIncomplete { report } => format!(
                "not complete: {} files fetched, {} were there already, {} failed{}\nget it again to go on from here",
                report.fetched,
                report.skipped,
                report.failures,
                if report.gave_up { "; too many failed in a row, so the rest was not tried" } else { "" }
            ),
            Self::Removed { report } => format!(
                "{} files deleted, {} were gone already, {} failed{}",
                report.deleted,
                report.missing,
                report.failures,
                match report.kept {
                    0 => String::new(),
                    kept => format!(", {kept} stay because a manifest of --except lists them"),
                }
            ),
            Self::RemoveShares { manifest, files } => format!(
                "{} lists {files} of these files too, so nothing was deleted: --except {} keeps them; --shared-too \
                 deletes them as well, and a put of the folder with --check sends them anew",
                manifest.display(),
                shell::path(manifest)
            ),
            Self::RemoveNeedsRecursive { source } => {
                format!("{source} is a manifest: to delete everything it lists, say -r")
            }
            Self::Checked { summary, content, marked } => {
                let found = match (summary.damaged, summary.odd) {
                    (0, 0) => "nothing is wrong".to_owned(),
                    (damaged, odd) => format!("damaged: {damaged}, odd: {odd}"),
                };
                let how = if *content { "contents compared" } else { "contents not read" };
                let rest = if summary.is_complete() { "" } else { "; not everything could be checked" };
                let files = files_in(summary);
                let marked = marked.map_or_else(String::new, |marked| {
                    format!(
                        "\n{marked} files are marked: the storage asks its group for good copies when it runs"
                    )
                });
                format!("{files} files, {}, {how}: {found}{rest}{marked}", human::bytes(summary.bytes))
            }
            Self::Unpacked { done, conf } => {
                let again = conf.map_or_else(String::new, |conf| {
                    format!(
                        "\nnew files will be packed again by cairn unless {} says pack_max_size = 0",
                        conf.display()
                    )
                });
                format!(
                    "{} packed files, {}, are files of their own now: FastDFS can take the store over{again}",
                    done.files,
                    human::bytes(done.bytes)
                )
            }
            Self::BackedUp { done } => {
                let [accounts, nodes, contents] = done.counts;
                format!(
                    "{accounts} accounts, {nodes} files and folders, {contents} contents: {}\n\
                     It has hashes of passwords in it: keep it where only you read it. The bytes of the files stay in \
                     the store; blobs.tsv says where.",
                    done.folder.display()
                )
            }
            Self::Restored { done, made_at } => {
                let [accounts, nodes, contents] = done.counts;
                format!(
                    "restored from {}, made at {made_at}: {accounts} accounts, {nodes} files and folders, \
                     {contents} contents, checked. The drive can be started.",
                    done.folder.display()
                )
            }
            Self::WatchTested { channel, host, failure: None } => format!("{channel} ({host}): sent"),
            Self::WatchTested { channel, host, failure: Some(failure) } => {
                format!("{channel} ({host}): not sent: {failure}")
            }
            Self::ToolsInstalled { count, folder } => {
                format!("{count} tools in {}", folder.display())
            }
            Self::ToolInTheWay { path } => {
                format!("{} exists and is no link: move it away first", path.display())
            }
        }
    }

    fn chinese(&self) -> String {
        match self {
            Self::UpReady { data, tracker, storage, group, http, drive, status } => format!(
                "cairn 已启动，全部数据都在 {}\n\n  tracker  {tracker}\n  storage  {storage}  {group}\n  文件     http://{http}/{group}/M00/…\n  网盘     http://{drive}\n  监控     http://{status}/metrics",
                data.display()
            ),
            Self::UpSignIn { drive, password, file } => format!(
                "网盘登录：打开 http://{drive}，用户名 admin，密码 {password}\n登录后请修改密码，然后删除文件 {}。",
                shell::path(file)
            ),
            Self::UpFull { data } => {
                format!("{} 所在的磁盘已满：腾出空间之前无法上传。已有的文件仍可读取和删除。", data.display())
            }
            Self::UpTry { program, client_conf } => format!(
                "在另一个终端里试试：\n\n{}",
                Trials {
                    program, client_conf, words: ["上传文件", "上传整个目录", "取回目录", "查看集群"]
                }
            ),
            Self::UpStop => "按 Ctrl-C 停止。".to_owned(),
            Self::UpStopping => "正在停止 …".to_owned(),
            Self::AlreadyUp { data, pid } => {
                format!(
                    "{} 里已经有 cairn 在运行（pid {pid}）：直接使用、先停掉它，或用 --data 换一个目录",
                    data.display()
                )
            }
            Self::PortTaken { address, holder, option } => {
                let who = holder.map_or_else(|| "其他进程".to_owned(), ToString::to_string);
                format!("{address} 已被 {who} 占用：停掉它，或用 {option} 换一个端口")
            }
            Self::ListenNeedsAnAddress { suggestion } => {
                let example = suggestion.map(|ip| format!("，例如 --listen {ip}")).unwrap_or_default();
                format!("--listen 需要客户端能访问到的地址，因为这个地址会告诉客户端{example}")
            }
            Self::ClusterReady { folder, client_conf, program } => format!(
                "集群已启动，全部内容都在 {}。试试：\n\n{}",
                folder.display(),
                ClusterTrials {
                    program, folder, client_conf, words: ["上传文件", "查看服务器", "停止集群"]
                }
            ),
            Self::ClusterMissing { folder, program } => {
                let (program, shown) = (shell::Word(program), shell::path(folder));
                format!("{shown} 里没有集群：用 {program} cluster start --dir {shown} 创建")
            }
            Self::ClusterIsMade { folder } => format!(
                "{} 里已有集群，与给出的 --shape、--first-ip 或 --storage-ids 不符：用 --dir 换一个目录，或去掉这些选项",
                folder.display()
            ),
            Self::ClusterAddressTaken { name, address, holder } => {
                let who = holder.map_or_else(|| "其他进程".to_owned(), ToString::to_string);
                format!("{name}：{address} 已被 {who} 占用：停掉它，或用 --dir 和 --first-ip 在别处创建集群")
            }
            Self::ClusterWaits { states } => format!("等待：{}", states.join("，")),
            Self::ClusterNotReady { seconds, states, log } => format!(
                "{seconds} 秒后仍未就绪（服务器仍在运行）：{}；请查看 {}",
                states.join("，"),
                log.display()
            ),
            Self::ClusterServerEnded { name, log } => format!("{name} 已退出：请查看 {}", log.display()),
            Self::ClusterHasNoTracker => "没有 tracker 在运行：请先启动一个".to_owned(),
            Self::ClusterRemoved { folder } => format!("{} 已删除", folder.display()),
            Self::ClusterIsNotOurs { folder } => {
                format!(
                    "{} 不是由 cluster start 创建的，不会删除：请停止其中的服务后手动删除",
                    folder.display()
                )
            }
            Self::ClusterRemoveNeedsYes { folder, servers, program } => {
                let (program, shown) = (shell::Word(program), shell::path(folder));
                format!(
                    "这会停止 {servers} 个服务，并删除 {shown} 及其中的所有文件：\
                     {program} cluster remove --dir {shown} --yes"
                )
            }
            Self::PutDone { report, manifest, program, conf } => format!(
                "{} 个文件（{}）已全部在集群中（本次上传 {} 个，此前已上传 {} 个）\n\
                 清单：{}；取回：{program} get {}{} {}",
                report.listed.files,
                human::bytes(report.listed.bytes),
                report.sent,
                report.skipped,
                manifest.display(),
                conf_option(*conf),
                shell::path(manifest),
                back_folder(manifest),
                program = shell::Word(program)
            ),
            Self::PutIncomplete { report, manifest } => format!(
                "未完成：本次上传 {} 个文件，此前已上传 {} 个，失败 {} 个{}\n再次执行 put 即可续传（清单：{}）",
                report.sent,
                report.skipped,
                report.failures,
                if report.gave_up { "；连续失败过多，其余未尝试" } else { "" },
                manifest.display()
            ),
            Self::GetDone { report, target } => format!(
                "取回并校验 {} 个文件，{}，另有 {} 个已存在：{}",
                report.fetched,
                human::bytes(report.bytes_fetched),
                report.skipped,
                target.display()
            ),
            Self::GetIncomplete { report } => format!(
                "未完成：取回 {} 个文件，{} 个已存在，失败 {} 个{}\n再次执行 get 即可继续",
                report.fetched,
                report.skipped,
                report.failures,
                if report.gave_up { "；连续失败过多，其余未尝试" } else { "" }
            ),
            Self::Removed { report } => {
                format!(
                    "删除 {} 个文件，{} 个已不存在，失败 {} 个{}",
                    report.deleted,
                    report.missing,
                    report.failures,
                    match report.kept {
                        0 => String::new(),
                        kept => format!("，{kept} 个因列在 --except 的清单中而保留"),
                    }
                )
            }
            Self::RemoveShares { manifest, files } => format!(
                "{} 也列出了其中的 {files} 个文件，因此没有删除任何文件：加上 --except {} 会保留它们；\
                 加上 --shared-too 则一并删除，之后带 --check 再次 put 该目录会重新上传",
                manifest.display(),
                shell::path(manifest)
            ),
            Self::RemoveNeedsRecursive { source } => {
                format!("{source} 是清单：要删除其中列出的全部文件，请加 -r")
            }
            Self::Checked { summary, content, marked } => {
                let found = match (summary.damaged, summary.odd) {
                    (0, 0) => "没有问题".to_owned(),
                    (damaged, odd) => format!("损坏 {damaged} 处，异常 {odd} 处"),
                };
                let how = if *content { "已比对内容" } else { "未读取内容" };
                let rest = if summary.is_complete() { "" } else { "；有部分未能检查" };
                let files = files_in(summary);
                let marked = marked.map_or_else(String::new, |marked| {
                    format!("\n已标记 {marked} 个文件：存储运行时会向同组成员取回完好的副本")
                });
                format!("{files} 个文件，{}，{how}：{found}{rest}{marked}", human::bytes(summary.bytes))
            }
            Self::Unpacked { done, conf } => {
                let again = conf.map_or_else(String::new, |conf| {
                    format!(
                        "\n除非在 {} 中设置 pack_max_size = 0，否则 cairn 仍会把新文件打包",
                        conf.display()
                    )
                });
                format!(
                    "已将打包的 {} 个文件（{}）还原为独立文件：FastDFS 可以接管此存储{again}",
                    done.files,
                    human::bytes(done.bytes)
                )
            }
            Self::BackedUp { done } => {
                let [accounts, nodes, contents] = done.counts;
                format!(
                    "已备份 {accounts} 个账号、{nodes} 个文件和文件夹、{contents} 份内容：{}\n\
                     其中包含密码的哈希值，请放在只有您能读取的地方。文件内容仍在存储中，位置见 blobs.tsv。",
                    done.folder.display()
                )
            }
            Self::Restored { done, made_at } => {
                let [accounts, nodes, contents] = done.counts;
                format!(
                    "已从 {} 恢复（备份于 {made_at}）：{accounts} 个账号、{nodes} 个文件和文件夹、{contents} 份内容，\
                     核对无误。现在可以启动网盘。",
                    done.folder.display()
                )
            }
            Self::WatchTested { channel, host, failure: None } => format!("{channel}（{host}）：已发送"),
            Self::WatchTested { channel, host, failure: Some(failure) } => {
                format!("{channel}（{host}）：发送失败：{failure}")
            }
            Self::ToolsInstalled { count, folder } => {
                format!("{} 里已有 {count} 个工具", folder.display())
            }
            Self::ToolInTheWay { path } => {
                format!("{} 已存在且不是链接：请先移走", path.display())
            }
        }
    }
}

/// Files that have ids, in folders and in trunk files.
fn files_in(summary: &Summary) -> u64 {
    summary.normal + summary.appenders + summary.slaves + summary.links + summary.slots
}

/// `-c CONF `, when one was named.
fn conf_option(conf: Option<&Path>) -> String {
    conf.map(|conf| format!("-c {} ", shell::path(conf))).unwrap_or_default()
}

/// `photos-back` for `photos.cairn`: not the folder that was put, where what changed since would be in the way.
fn back_folder(manifest: &Path) -> String {
    let mut name = manifest.file_stem().unwrap_or_default().to_owned();
    name.push("-back");
    shell::path(Path::new(&name))
}

/// Commands to try, with a word on each.
struct Trials<'a> {
    program: &'a str,
    client_conf: &'a Path,
    words: [&'a str; 4],
}

impl fmt::Display for Trials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [file, folder, back, who] = self.words;
        let (program, conf) = (shell::Word(self.program), shell::path(self.client_conf));
        writeln!(f, "  {program} fdfs_upload_file {conf} FILE      # {file}")?;
        writeln!(f, "  {program} put -c {conf} FOLDER              # {folder}")?;
        writeln!(f, "  {program} get -c {conf} FOLDER.cairn BACK   # {back}")?;
        write!(f, "  {program} monitor -c {conf}                 # {who}")
    }
}

/// Commands to try on a cluster, with a word on each.
struct ClusterTrials<'a> {
    program: &'a str,
    folder: &'a Path,
    client_conf: &'a Path,
    words: [&'a str; 3],
}

impl fmt::Display for ClusterTrials<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [file, status, stop] = self.words;
        let (program, folder) = (shell::Word(self.program), shell::path(self.folder));
        let upload = format!("{program} fdfs_upload_file {} FILE", shell::path(self.client_conf));
        let cluster = |word: &str| format!("{program} cluster {word} --dir {folder}");
        let width = upload.chars().count();
        writeln!(f, "  {upload}   # {file}")?;
        writeln!(f, "  {:width$}   # {status}", cluster("status"))?;
        write!(f, "  {:width$}   # {stop}", cluster("stop"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_leads_to_another_folder_than_the_one_that_was_put() {
        let report = PutReport::default();
        let say = Say::PutDone {
            report: &report,
            manifest: Path::new("lists/my photos.cairn"),
            program: "cairn",
            conf: None,
        };
        for language in [Language::English, Language::Chinese] {
            let text = say.in_language(language);
            assert!(text.ends_with("cairn get 'lists/my photos.cairn' 'my photos-back'"), "{text}");
        }
        let conf = Path::new("client.conf");
        let text = Say::UpTry { program: "cairn", client_conf: conf }.in_language(Language::English);
        let comments: Vec<_> = text.lines().skip(2).map(|line| line.find('#')).collect();
        assert_eq!(comments.len(), 4);
        assert!(comments.iter().all(|column| *column == comments[0]), "{text}");
        assert!(text.contains("get -c client.conf FOLDER.cairn BACK "), "{text}");
    }

    #[test]
    fn a_taken_port_says_by_whom_and_what_to_do() {
        let say = Say::PortTaken {
            address: "127.0.0.1:22122".parse().unwrap(),
            holder: Some("fdfs_trackerd, pid 7"),
            option: "--tracker-port",
        };
        assert_eq!(
            say.in_language(Language::English),
            "127.0.0.1:22122 is taken by fdfs_trackerd, pid 7: stop it, or choose another port with --tracker-port"
        );
        assert!(say.in_language(Language::Chinese).contains("fdfs_trackerd, pid 7"));
    }
}
