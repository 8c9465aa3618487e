//! The findings in words, in English and Chinese: what is wrong, and what to do about it.

use crate::finding::{Finding, Severity, What};
use crate::human::{bytes, megabytes, seconds as span};
use crate::language::Language;

/// How much was checked.
#[derive(Debug, Clone, Copy)]
pub struct Checked {
    /// Configurations that were read.
    pub files: usize,
    /// Trackers that answered.
    pub trackers: usize,
    /// Storages that answered.
    pub storages: usize,
}

/// The word for a severity.
pub fn severity(severity: Severity, language: Language) -> &'static str {
    match (language, severity) {
        (Language::English, severity) => severity.word(),
        (Language::Chinese, Severity::Note) => "提示",
        (Language::Chinese, Severity::Warning) => "警告",
        (Language::Chinese, Severity::Error) => "错误",
    }
}

/// The last line.
pub fn sum(checked: &Checked, findings: &[Finding], language: Language) -> String {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let [errors, warnings, notes] = [Severity::Error, Severity::Warning, Severity::Note].map(count);
    let Checked { files, trackers, storages } = checked;
    match language {
        Language::English => format!(
            "errors: {errors}, warnings: {warnings}, notes: {notes} \
             (configurations read: {files}, trackers that answer: {trackers}, storages that answer: {storages})"
        ),
        Language::Chinese => format!(
            "错误 {errors} 个，警告 {warnings} 个，提示 {notes} 个\
             （读取配置 {files} 个，有应答的 tracker {trackers} 个，有应答的 storage {storages} 个）"
        ),
    }
}

/// What is wrong, and what to do.
pub fn of(what: &What, language: Language) -> (String, String) {
    match language {
        Language::English => english(what),
        Language::Chinese => chinese(what),
    }
}

/// `file:line: key: `, as far as there is a line and a key.
fn place(file: &str, line: Option<u32>, key: &str) -> String {
    let line = line.map(|line| format!(":{line}")).unwrap_or_default();
    let key = if key.is_empty() { String::new() } else { format!(" {key}:") };
    format!("{file}{line}:{key}")
}

fn english(what: &What) -> (String, String) {
    let (what, todo) = match what {
        What::ConfBad { file, line, key, reason } => (
            format!("{} {reason}", place(file, *line, key)),
            "mend it, or name another file: nothing starts with this one; docs/configuration.md has every key",
        ),
        What::ConfOdd { file, line, key, reason } => (
            format!("{} {reason}", place(file, *line, key)),
            "correct or delete the line: it does not do what it seems to say",
        ),
        What::ConfUnknown { file } => (
            format!("{file} has no key of any configuration"),
            "name a tracker.conf, storage.conf, client.conf, mod_fastdfs.conf, drive.conf or watch.conf",
        ),
        What::TrackerSilent { tracker, reason } => (
            format!("tracker {tracker} does not answer: {reason}"),
            "start it; if it runs, look at tracker_server here, at port, bind_addr and allow_hosts in its \
             tracker.conf, and at firewalls between",
        ),
        What::NoGroups { tracker } => (
            format!("tracker {tracker} knows no storage"),
            "start a storage whose storage.conf names this tracker in tracker_server; if one runs, its log says \
             why it is not taken",
        ),
        What::LeaderNone { tracker } => (
            format!("tracker {tracker} knows of no leader"),
            "trackers elect one within seconds: look again; if it stays so, see that the trackers reach each other \
             and that every storage.conf names the same tracker_server addresses",
        ),
        What::LeadersDiffer { tracker, leader, other, other_leader } => (
            format!("tracker {tracker} takes {leader} for the leader, tracker {other} takes {other_leader}"),
            "see that the trackers reach each other, that all storages name the same trackers in tracker_server, \
             and that these belong to one cluster",
        ),
        What::MembersDiffer { tracker, other, only_first, only_other } => (
            format!(
                "trackers {tracker} and {other} know different storages: only the first {}, only the second {}",
                list(only_first),
                list(only_other)
            ),
            "name all trackers in tracker_server of every storage.conf, and see that the storages reach each of them",
        ),
        What::StatusDiffers { storage, tracker, status, other, other_status } => (
            format!(
                "storage {storage} is {status} for tracker {tracker} and {other_status} for tracker {other}"
            ),
            "see that it reaches both trackers and names both in tracker_server; its log says what fails",
        ),
        What::AnnouncedLoopback { storage, address, tracker } => (
            format!(
                "clients are sent to {address} for storage {storage}, but tracker {tracker} is on another address: \
                 nobody on another machine reaches the storage"
            ),
            "in its storage.conf set bind_addr to the address that clients reach, and name the tracker by its own \
             address in tracker_server; with storage ids, correct the address in storage_ids.conf",
        ),
        What::AnnouncedPrivate { storage, address, tracker } => (
            format!(
                "clients are sent to the private address {address} for storage {storage}, while tracker {tracker} \
                 has a public one: clients outside of its network do not reach the storage"
            ),
            "if there are such clients, set use_storage_id in tracker.conf and give the storage both addresses in \
             storage_ids.conf, and server_id in its storage.conf; else all is well",
        ),
        What::StorageUnreachable { storage, address, reason, private } => (
            format!(
                "storage {storage} serves, but cannot be used at {address}, where clients are sent: {reason}{}",
                if *private { " (a private address: is it behind NAT or in a container?)" } else { "" }
            ),
            "open its port in firewalls, let this machine in with allow_hosts; behind NAT or in a container, set \
             use_storage_id in tracker.conf, list the address that clients reach in storage_ids.conf, set server_id \
             in its storage.conf, and allow_peers on the other members",
        ),
        What::StorageOffline { storage, address, answers: true } => (
            format!("storage {storage} answers at {address}, but does not report to the tracker"),
            "see tracker_server in its storage.conf, and whether it reaches the tracker; its log says what fails",
        ),
        What::StorageOffline { storage, answers: false, .. } => (
            format!("storage {storage} is offline"),
            "start it; if it will never come back, remove it with fdfs_monitor CONF delete GROUP ID",
        ),
        What::StorageWaits { storage, status, source } => (
            format!("storage {storage} does not serve yet: {}", waits(status, source.as_deref())),
            "wait until it is ACTIVE; if nothing moves, see that the storage it waits for runs and reaches it, \
             and read the logs of both",
        ),
        What::StorageGone { storage, status } => (
            format!("storage {storage} is no member any more ({status})"),
            "nothing, unless that was a mistake",
        ),
        What::GroupSingle { group, storage } => (
            format!("group {group} has one member, {storage}: there is one copy of its files"),
            "start a second storage with the same group_name on another machine if files shall survive a disk",
        ),
        What::GroupOneLive { group, storage, members } => (
            format!("of {members} members of group {group} only {storage} serves: new files have one copy"),
            "bring the others back before this one fails; see what is said of them",
        ),
        What::GroupDead { group, members } => (
            format!(
                "no member of group {group} serves ({members} known): its files cannot be read or written"
            ),
            "start its storages; see what is said of them",
        ),
        What::SyncLag { storage, seconds } => (
            format!("storage {storage} is {} behind the others of its group", span(*seconds)),
            "see that the members reach each other (allow_peers, firewalls, sync_start_time and sync_end_time), and \
             that its disks keep up; the logs of the others say what they cannot send",
        ),
        What::SyncLagFresh { storage, seconds } => (
            format!(
                "storage {storage} has last reported changes {} older than the newest, which has just been made",
                span(*seconds)
            ),
            "look again in two minutes: members report what they have with their next beat",
        ),
        What::SyncNever { storage } => (
            format!("storage {storage} has never got a change from the others of its group"),
            "see that the members reach each other (allow_peers, firewalls); the logs of the others say what they \
             cannot send",
        ),
        What::CopiesDegraded { storage, wanted, possible } => (
            format!(
                "storage {storage}: changes shall be on {wanted} members, {possible} can have them (durability)"
            ),
            "start the other members; until then, copies_missing decides whether changes are taken",
        ),
        What::CopiesFewer { storage, changes } => (
            format!(
                "storage {storage}: {changes} changes were acknowledged with fewer copies since its start"
            ),
            "nothing when all members serve now: they are copied then; copies_missing = refuse would take none",
        ),
        What::FilesWithoutCopy { storage, scrub, quarantine } => (
            format!(
                "storage {storage}: files without a good copy: {scrub} in the last round of the scrub, \
                 {quarantine} in the quarantine"
            ),
            "its log names them: bring them back from a backup, or start members that may still have them",
        ),
        What::CopiesDamaged { storage, bad, missing, mended } => (
            format!("storage {storage}: {bad} bad and {missing} missing copies were found, {mended} mended"),
            "start the other members, so that the next round mends the rest; look at the disk's own health, and \
             run cairn fsck",
        ),
        What::CopiesMended { storage, bad, missing } => (
            format!("storage {storage}: {bad} bad and {missing} missing copies were found, and all mended"),
            "look at the health of its disks: copies do not go bad by themselves",
        ),
        What::Quarantine { storage, copies, bytes: size } => (
            format!("storage {storage} keeps {copies} bad copies aside, {}", bytes(*size)),
            "nothing: they were replaced; they may be looked at, or deleted for their space",
        ),
        What::ClockAhead { server, seconds } => (
            format!("the clock of {server} is {} ahead of this machine's", span(*seconds)),
            "set the clocks with NTP or chrony on both machines: file ids and the order of changes hold times",
        ),
        What::ClockBehind { server, seconds } => (
            format!(
                "by {server} no storage has reported for {}: its clock is behind this machine's, or it hangs",
                span(*seconds)
            ),
            "set the clocks with NTP or chrony on both machines; if they agree, read the tracker's log",
        ),
        What::SpaceOut { storage, free_mb, reserved_mb } => (
            format!(
                "storage {storage} takes no uploads: {} are free, {} are reserved",
                megabytes(*free_mb),
                megabytes(*reserved_mb)
            ),
            "add a store path or a group, or delete files; reserved_storage_space in tracker.conf is the reserve",
        ),
        What::SpaceLow { storage, free_mb, reserved_mb, total_mb } => (
            format!(
                "storage {storage} will soon take no uploads: {} of {} are free, {} of it reserved",
                megabytes(*free_mb),
                megabytes(*total_mb),
                megabytes(*reserved_mb)
            ),
            "add a group with new storages, or larger disks, in time; reserved_storage_space in tracker.conf is the \
             reserve",
        ),
        What::PathMissing { path } => (
            format!("{path} does not exist"),
            "nothing: the server makes it; if it shall be a disk of its own, mount that before the start",
        ),
        What::StorePathMissing { path } => (
            format!("the store path {path} does not exist"),
            "if it is a disk, mount it before the storage starts, or the files land on the disk below; for a new \
             storage it is made at the start",
        ),
        What::PathNotFolder { path } => {
            (format!("{path} is no folder"), "move it away, or name another path")
        }
        What::PathNotWritable { path, reason } => (
            format!("{path} cannot be written to: {reason}"),
            "give it to the account that the server runs under (run_by_user), and see that it is mounted for \
             writing; this was checked as the user who asks",
        ),
        What::PathSpaceLow { path, free_mb, total_mb } => (
            format!(
                "the disk of {path} is nearly full: {} of {} free",
                megabytes(*free_mb),
                megabytes(*total_mb)
            ),
            "make space: logs, journals and files need it",
        ),
        What::OpenFilesFew { file, max_connections, needed, limit } => (
            format!(
                "{file}: max_connections is {max_connections}, for which {needed} files may have to be open; \
                 {limit} may be"
            ),
            "raise the limit (LimitNOFILE of the systemd unit, or ulimit -n), or lower max_connections",
        ),
        What::PortNobody { file, address, role } => (
            format!("{file}: nobody serves at {address}"),
            match role.as_str() {
                "tracker" => "start it: cairn tracker CONF; if it should run, its log says why it does not",
                "storage" => "start it: cairn storage CONF; if it should run, its log says why it does not",
                "gateway" => "start it: cairn gateway CONF; if it should run, its log says why it does not",
                _ => "start it: cairn drive CONF; if it should run, its log says why it does not",
            },
        ),
        What::PortStranger { file, address, holder, reason } => (
            format!(
                "{file}: {address} is taken by {}, who does not answer as the server would: {reason}",
                holder.as_deref().unwrap_or("another process")
            ),
            "stop it or choose another port; if it is the server, it hangs, has no connection left \
             (max_connections), or allow_hosts keeps this machine out",
        ),
    };
    (what, todo.to_owned())
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "–".to_owned() } else { names.join(", ") }
}

fn waits(status: &str, source: Option<&str>) -> String {
    let from = source.map(|source| format!(" from {source}")).unwrap_or_default();
    match status {
        "INIT" => "INIT: it is new, and the tracker has not yet said who sends it the old files".to_owned(),
        "WAIT_SYNC" => format!("WAIT_SYNC: it waits for the old files{from}"),
        "SYNCING" => format!("SYNCING: it is being sent the old files{from}"),
        "ONLINE" => "ONLINE: it has what it needs, and its next beat makes it serve".to_owned(),
        "RECOVERY" => format!("RECOVERY: a disk is empty, and it fetches the files{from} again"),
        other => other.to_owned(),
    }
}

fn chinese(what: &What) -> (String, String) {
    let (what, todo) = match what {
        What::ConfBad { file, line, key, reason } => (
            format!("配置无法使用：{} {reason}", place(file, *line, key)),
            "请改正，或换一个文件：用它什么也启动不了；全部配置项见 docs/configuration.md",
        ),
        What::ConfOdd { file, line, key, reason } => (
            format!("配置有疑问：{} {reason}", place(file, *line, key)),
            "请改正或删除这一行：它的实际效果与字面不符",
        ),
        What::ConfUnknown { file } => (
            format!("{file} 里没有任何已知的配置项"),
            "请给出 tracker.conf、storage.conf、client.conf、mod_fastdfs.conf、drive.conf 或 watch.conf",
        ),
        What::TrackerSilent { tracker, reason } => (
            format!("tracker {tracker} 没有应答：{reason}"),
            "请启动它；若已在运行，检查这里的 tracker_server，其 tracker.conf 的 port、bind_addr、allow_hosts，以及防火墙",
        ),
        What::NoGroups { tracker } => (
            format!("tracker {tracker} 还没有任何 storage"),
            "请启动 storage.conf 中 tracker_server 指向它的 storage；若已在运行，原因见 storage 的日志",
        ),
        What::LeaderNone { tracker } => (
            format!("tracker {tracker} 不知道谁是 leader"),
            "选举只需几秒，请稍后再查；若一直如此，检查各 tracker 是否互通，以及各 storage.conf 的 tracker_server 是否一致",
        ),
        What::LeadersDiffer { tracker, leader, other, other_leader } => (
            format!("tracker {tracker} 认为 leader 是 {leader}，tracker {other} 认为是 {other_leader}"),
            "请检查各 tracker 是否互通、各 storage 的 tracker_server 是否一致，以及它们是否属于同一个集群",
        ),
        What::MembersDiffer { tracker, other, only_first, only_other } => (
            format!(
                "tracker {tracker} 与 {other} 知道的 storage 不同：只有前者知道 {}，只有后者知道 {}",
                list(only_first),
                list(only_other)
            ),
            "请在每个 storage.conf 的 tracker_server 中写明全部 tracker，并确认 storage 能连上每一个",
        ),
        What::StatusDiffers { storage, tracker, status, other, other_status } => (
            format!(
                "storage {storage} 在 tracker {tracker} 上是 {status}，在 tracker {other} 上是 {other_status}"
            ),
            "请确认它能连上两个 tracker，并在 tracker_server 中都写明；失败原因见其日志",
        ),
        What::AnnouncedLoopback { storage, address, tracker } => (
            format!(
                "客户端得到的 storage {storage} 的地址是回环地址 {address}，而 tracker {tracker} 不在回环地址上：其他机器访问不到它"
            ),
            "在其 storage.conf 中把 bind_addr 设为客户端能访问的地址，tracker_server 写 tracker 的真实地址；使用 storage id 时，改正 storage_ids.conf 中的地址",
        ),
        What::AnnouncedPrivate { storage, address, tracker } => (
            format!(
                "客户端得到的 storage {storage} 的地址是内网地址 {address}，而 tracker {tracker} 在公网：外网客户端访问不到它"
            ),
            "若有外网客户端，在 tracker.conf 中开启 use_storage_id，在 storage_ids.conf 中写明内外两个地址，并在其 storage.conf 中设 server_id；否则无需处理",
        ),
        What::StorageUnreachable { storage, address, reason, private } => (
            format!(
                "storage {storage} 在服务，但客户端得到的地址 {address} 无法使用：{reason}{}",
                if *private { "（内网地址：是否在 NAT 之后或容器里？）" } else { "" }
            ),
            "在防火墙中放行端口，用 allow_hosts 允许本机；在 NAT 之后或容器里时，在 tracker.conf 中开启 use_storage_id，在 storage_ids.conf 中写客户端能访问的地址，在其 storage.conf 中设 server_id，并在同组其他成员上设 allow_peers",
        ),
        What::StorageOffline { storage, address, answers: true } => (
            format!("storage {storage} 在 {address} 有应答，但没有向 tracker 报告"),
            "检查其 storage.conf 的 tracker_server，以及它能否连上 tracker；失败原因见其日志",
        ),
        What::StorageOffline { storage, answers: false, .. } => (
            format!("storage {storage} 已离线"),
            "请启动它；若不再使用，用 fdfs_monitor CONF delete GROUP ID 移除",
        ),
        What::StorageWaits { storage, status, source } => (
            format!("storage {storage} 还不能服务：{}", waits_chinese(status, source.as_deref())),
            "请等到它变为 ACTIVE；若没有进展，确认它等待的 storage 在运行且能连上它，并查看双方的日志",
        ),
        What::StorageGone { storage, status } => {
            (format!("storage {storage} 已不再是成员（{status}）"), "无需处理，除非是误操作")
        }
        What::GroupSingle { group, storage } => (
            format!("组 {group} 只有一个成员 {storage}：文件只有一份"),
            "若要在磁盘损坏后保住文件，请在另一台机器上用相同的 group_name 再启动一个 storage",
        ),
        What::GroupOneLive { group, storage, members } => (
            format!("组 {group} 的 {members} 个成员中只有 {storage} 在服务：新文件只有一份"),
            "请在它出故障之前恢复其他成员；各成员的情况见其他各条",
        ),
        What::GroupDead { group, members } => (
            format!("组 {group} 没有成员在服务（已知 {members} 个）：其文件无法读写"),
            "请启动其 storage；各成员的情况见其他各条",
        ),
        What::SyncLag { storage, seconds } => (
            format!("storage {storage} 落后于同组其他成员 {}", span(*seconds)),
            "检查成员之间是否互通（allow_peers、防火墙、sync_start_time 与 sync_end_time），以及其磁盘是否跟得上；发送失败的原因见其他成员的日志",
        ),
        What::SyncLagFresh { storage, seconds } => (
            format!("storage {storage} 最近一次报告比最新的改动早 {}，而该改动刚刚发生", span(*seconds)),
            "请两分钟后再查：成员在下一次心跳时报告进度",
        ),
        What::SyncNever { storage } => (
            format!("storage {storage} 从未收到同组其他成员的改动"),
            "检查成员之间是否互通（allow_peers、防火墙）；发送失败的原因见其他成员的日志",
        ),
        What::CopiesDegraded { storage, wanted, possible } => (
            format!("storage {storage}：改动应有 {wanted} 份，目前只能有 {possible} 份（durability）"),
            "请启动其他成员；在此之前是否接受改动由 copies_missing 决定",
        ),
        What::CopiesFewer { storage, changes } => (
            format!("storage {storage}：启动以来有 {changes} 个改动在份数不足时被确认"),
            "若成员现已全部在服务则无需处理，会补上；copies_missing = refuse 则不接受这样的改动",
        ),
        What::FilesWithoutCopy { storage, scrub, quarantine } => (
            format!(
                "storage {storage}：有文件没有完好的副本：最近一轮巡检 {scrub} 个，隔离区 {quarantine} 个"
            ),
            "文件名见其日志：请从备份恢复，或启动可能还有副本的成员",
        ),
        What::CopiesDamaged { storage, bad, missing, mended } => (
            format!("storage {storage}：发现损坏副本 {bad} 个、缺失 {missing} 个，已修复 {mended} 个"),
            "请启动其他成员，下一轮巡检会修复其余的；检查磁盘健康状况，并运行 cairn fsck",
        ),
        What::CopiesMended { storage, bad, missing } => (
            format!("storage {storage}：发现损坏副本 {bad} 个、缺失 {missing} 个，均已修复"),
            "请检查磁盘健康状况：副本不会无故损坏",
        ),
        What::Quarantine { storage, copies, bytes: size } => (
            format!("storage {storage} 隔离了 {copies} 个损坏的副本，{}", bytes(*size)),
            "无需处理：都已替换；可以查看，也可以删除以腾出空间",
        ),
        What::ClockAhead { server, seconds } => (
            format!("{server} 的时钟比本机快 {}", span(*seconds)),
            "请在两台机器上用 NTP 或 chrony 校时：文件 id 和改动顺序都含时间",
        ),
        What::ClockBehind { server, seconds } => (
            format!(
                "按 {server} 的记录，{} 内没有 storage 报告：它的时钟比本机慢，或它已卡住",
                span(*seconds)
            ),
            "请在两台机器上用 NTP 或 chrony 校时；若时钟一致，查看 tracker 的日志",
        ),
        What::SpaceOut { storage, free_mb, reserved_mb } => (
            format!(
                "storage {storage} 不再接受上传：剩余 {}，保留 {}",
                megabytes(*free_mb),
                megabytes(*reserved_mb)
            ),
            "请增加存储路径或组，或删除文件；保留空间由 tracker.conf 的 reserved_storage_space 决定",
        ),
        What::SpaceLow { storage, free_mb, reserved_mb, total_mb } => (
            format!(
                "storage {storage} 即将不再接受上传：共 {}，剩余 {}，其中保留 {}",
                megabytes(*total_mb),
                megabytes(*free_mb),
                megabytes(*reserved_mb)
            ),
            "请及时增加新的组或更大的磁盘；保留空间由 tracker.conf 的 reserved_storage_space 决定",
        ),
        What::PathMissing { path } => {
            (format!("{path} 不存在"), "无需处理：服务会自行创建；若它应是单独的磁盘，请在启动前挂载")
        }
        What::StorePathMissing { path } => (
            format!("存储路径 {path} 不存在"),
            "若是磁盘，请在启动 storage 前挂载，否则文件会写到下层磁盘；新的 storage 会在启动时创建它",
        ),
        What::PathNotFolder { path } => (format!("{path} 不是目录"), "请移走它，或换一个路径"),
        What::PathNotWritable { path, reason } => (
            format!("{path} 无法写入：{reason}"),
            "请把它交给运行服务的账户（run_by_user），并确认以可写方式挂载；此项以当前用户的身份检查",
        ),
        What::PathSpaceLow { path, free_mb, total_mb } => (
            format!("{path} 所在磁盘将满：共 {}，剩余 {}", megabytes(*total_mb), megabytes(*free_mb)),
            "请腾出空间：日志、journal 和文件都需要",
        ),
        What::OpenFilesFew { file, max_connections, needed, limit } => (
            format!(
                "{file}：max_connections 为 {max_connections}，可能需要同时打开 {needed} 个文件，而上限是 {limit}"
            ),
            "请提高上限（systemd 单元的 LimitNOFILE，或 ulimit -n），或减小 max_connections",
        ),
        What::PortNobody { file, address, role } => (
            format!("{file}：{address} 上没有服务"),
            match role.as_str() {
                "tracker" => "请启动：cairn tracker CONF；若本应在运行，原因见其日志",
                "storage" => "请启动：cairn storage CONF；若本应在运行，原因见其日志",
                "gateway" => "请启动：cairn gateway CONF；若本应在运行，原因见其日志",
                _ => "请启动：cairn drive CONF；若本应在运行，原因见其日志",
            },
        ),
        What::PortStranger { file, address, holder, reason } => (
            format!(
                "{file}：{address} 已被 {} 占用，而它的应答不像该服务：{reason}",
                holder.as_deref().unwrap_or("其他进程")
            ),
            "请停掉它或换一个端口；若它就是该服务，则它已卡住、连接已用完（max_connections），或 allow_hosts 不允许本机",
        ),
    };
    (what, todo.to_owned())
}

fn waits_chinese(status: &str, source: Option<&str>) -> String {
    let from = source.map_or_else(|| "其他成员".to_owned(), ToOwned::to_owned);
    match status {
        "INIT" => "INIT：它是新成员，tracker 还没有指定由谁向它发送旧文件".to_owned(),
        "WAIT_SYNC" => format!("WAIT_SYNC：它在等 {from} 发送旧文件"),
        "SYNCING" => format!("SYNCING：{from} 正在向它发送旧文件"),
        "ONLINE" => "ONLINE：已经就绪，下一次心跳后开始服务".to_owned(),
        "RECOVERY" => format!("RECOVERY：有磁盘是空的，正在从 {from} 取回文件"),
        other => other.to_owned(),
    }
}
