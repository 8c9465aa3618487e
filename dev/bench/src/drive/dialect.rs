//! The 22 operations of the old dialect.

use anyhow::Result;
use drive_core::dialect::Operation;
use serde_json::{Value, json};

use super::web::{Job, request};
use super::world::{Due, HASHERS, Person, World, bearer, form, old, old_register, old_sign_in, texts};

/// What is measured of an operation, and is the queue in its way?
pub(crate) struct OldCase {
    pub(crate) operation: Operation,
    pub(crate) path: &'static str,
    pub(crate) queue: bool,
}

const fn case(operation: Operation, path: &'static str) -> OldCase {
    OldCase { operation, path, queue: false }
}

const fn queued(operation: Operation, path: &'static str) -> OldCase {
    OldCase { operation, path, queue: true }
}

pub(crate) const CASES: [OldCase; 22] = [
    queued(Operation::Register, "/api/reg"),
    case(Operation::Login, "/api/login"),
    case(Operation::Md5, "/api/md5"),
    queued(Operation::Upload, "/api/upload"),
    case(Operation::MyFilesCount, "/api/myfiles?cmd=count"),
    case(Operation::MyFiles, "/api/myfiles?cmd=normal"),
    case(Operation::MyFilesLeastDownloaded, "/api/myfiles?cmd=pvasc"),
    case(Operation::MyFilesMostDownloaded, "/api/myfiles?cmd=pvdesc"),
    case(Operation::Share, "/api/dealfile?cmd=share"),
    case(Operation::Delete, "/api/dealfile?cmd=del"),
    queued(Operation::CountDownload, "/api/dealfile?cmd=pv"),
    case(Operation::SharedCount, "/api/sharefiles?cmd=count"),
    case(Operation::Shared, "/api/sharefiles?cmd=normal"),
    case(Operation::RankingMost, "/api/sharefiles?cmd=pvdesc"),
    case(Operation::RankingLeast, "/api/sharefiles?cmd=pvasc"),
    case(Operation::SharedCancel, "/api/dealsharefile?cmd=cancel"),
    case(Operation::SharedSave, "/api/dealsharefile?cmd=save"),
    queued(Operation::SharedCountDownload, "/api/dealsharefile?cmd=pv"),
    case(Operation::PictureShare, "/api/sharepic?cmd=share"),
    queued(Operation::PictureBrowse, "/api/sharepic?cmd=browse"),
    case(Operation::Pictures, "/api/sharepic?cmd=normal"),
    case(Operation::PictureCancel, "/api/sharepic?cmd=cancel"),
];

/// A file of somebody's own.
fn own(person: &Person) -> Value {
    json!({"md5": person.md5(), "filename": person.own_name})
}

pub(crate) fn job<'w>(world: &'w World, case: &OldCase) -> Result<Job<'w>> {
    use Operation as Op;
    let path = case.path;
    let ten = || json!({"start": 0, "count": 10});
    let mine = |fields: &dyn Fn(&Person) -> Value| {
        world.all(&world.readers, |one| one.old(path, fields(one)), Due::Done)
    };
    let public = |request: Vec<u8>| world.same(vec![request], Due::Done);
    let used_up = |files: Vec<(&Person, String)>| {
        let asks =
            files.into_iter().map(|(one, name)| one.old(path, json!({"md5": one.md5(), "filename": name})));
        world.once(asks.collect(), Due::Done)
    };
    Ok(match case.operation {
        Op::Register => {
            let make = |_: &Person, out: &mut Vec<u8>| old_register(out, &format!("u{:09}", world.serial()));
            Job { connections: HASHERS, ..world.fresh(make, Due::Done) }
        }
        Op::Login => {
            let make = |one: &Person| old_sign_in(&one.name);
            Job { connections: HASHERS, ..world.all(&world.guests, make, Due::Done) }
        }
        Op::Md5 => {
            let known: Vec<_> = world.writers.iter().map(|one| (one.name.as_str(), one.md5())).collect();
            let make = move |one: &Person, out: &mut Vec<u8>| {
                let md5 = known.iter().find(|(name, _)| *name == one.name).map_or("", |(_, md5)| md5);
                let (user, token, name) = (&one.name, &one.old_token, world.name());
                let body = format!(
                    "{{\"user\":\"{user}\",\"token\":\"{token}\",\"md5\":\"{md5}\",\"filename\":\"{name}\"}}"
                );
                let fields = super::world::JSON;
                super::web::write_request(out, "POST", path, fields, body.as_bytes());
            };
            world.fresh(make, Due::Done)
        }
        Op::Upload => {
            let make = |one: &Person, out: &mut Vec<u8>| {
                let (name, content) = (world.name(), world.content());
                form(out, path, &bearer(&one.old_token), Some(&one.name), &name, &content);
            };
            world.fresh(make, Due::Done)
        }
        Op::MyFilesCount => mine(&|_| json!({})),
        Op::MyFiles | Op::MyFilesLeastDownloaded | Op::MyFilesMostDownloaded => mine(&|_| ten()),
        Op::Share => used_up(world.named(world.for_items(|one| one))?),
        Op::Delete => used_up(world.named(world.for_items(|one| one))?),
        Op::CountDownload => mine(&own),
        Op::SharedCount => public(request("GET", path, "", b"")),
        Op::Shared | Op::RankingMost | Op::RankingLeast => public(old(path, &ten())),
        Op::SharedCancel => used_up(world.listed(world.for_items(|one| one))?),
        Op::SharedSave => {
            // Each is saved by everybody who writes.
            let owners = world.readers.iter().cycle().take(world.items.div_ceil(world.writers.len()));
            let files = world.listed(owners.collect())?;
            let asks = files.iter().flat_map(|(one, name)| {
                let fields = json!({"md5": one.md5(), "filename": name});
                world.writers.iter().map(move |writer| writer.old(path, fields.clone()))
            });
            world.once(asks.collect(), Due::Done)
        }
        Op::SharedCountDownload => {
            let known: Vec<String> = world.readers.iter().map(own_text).collect();
            let make = move |one: &Person, out: &mut Vec<u8>| {
                let serial = world.serial();
                let fields = format!("{}User-Agent: visitor {serial}\r\n", super::world::JSON);
                let file = &known[serial as usize % known.len()];
                let body = format!("{{\"user\":\"{}\",\"token\":\"{}\",{file}}}", one.name, one.old_token);
                super::web::write_request(out, "POST", path, &fields, body.as_bytes());
            };
            world.fresh(make, Due::Done)
        }
        Op::PictureShare => world.all(&world.writers, |one| one.old(path, own(one)), Due::Done),
        Op::PictureBrowse => {
            world.all(&world.readers, |one| old(path, &json!({"urlmd5": one.picture})), Due::Done)
        }
        Op::Pictures => mine(&|_| ten()),
        Op::PictureCancel => {
            let owners = world.for_items(|one| one);
            let asks = owners.iter().map(|one| one.old("/api/sharepic?cmd=share", own(one)));
            let links = texts(&world.each(asks.collect(), 200)?, "/urlmd5")?;
            let asks = owners.iter().zip(links).map(|(one, link)| one.old(path, json!({"urlmd5": link})));
            world.once(asks.collect(), Due::Done)
        }
    })
}

fn own_text(person: &Person) -> String {
    format!("\"md5\":\"{}\",\"filename\":\"{}\"", person.md5(), person.own_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_measured_at_its_target() {
        for (case, operation) in CASES.iter().zip(Operation::ALL) {
            assert_eq!(case.operation, operation);
            let (path, query) = case.path.split_once('?').map_or((case.path, None), |(a, b)| (a, Some(b)));
            let target = drive_core::dialect::target(path, query);
            assert_eq!(target, drive_core::dialect::Target::Operation(operation));
        }
    }
}
