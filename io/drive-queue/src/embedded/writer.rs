//! The thread that has the file.

use drive_core::ports::{Lane, QueueError};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::store::{Answer, OpenError, Store, Work};

/// Calls that wait for the writer at most; more wait in front of it, until their deadlines.
const JOBS_MAX: usize = 1024;

/// What somebody waits for.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) reply: oneshot::Sender<Result<Answer, QueueError>>,
}

type Readies = [watch::Sender<u64>; Lane::ALL.len()];

pub(super) fn start(
    store: Store,
) -> Result<(mpsc::Sender<Job>, [watch::Receiver<u64>; Lane::ALL.len()]), OpenError> {
    let (sender, receiver) = mpsc::channel(JOBS_MAX);
    let readies = Readies::default();
    let seen = readies.each_ref().map(watch::Sender::subscribe);
    let writer = std::thread::Builder::new().name("drive-queue".to_owned());
    writer.spawn(move || run(store, receiver, &readies)).map_err(OpenError::Thread)?;
    Ok((sender, seen))
}

/// Until it is told to close, or nobody is left who could ask.
fn run(mut store: Store, mut jobs: mpsc::Receiver<Job>, readies: &Readies) {
    while let Some(first) = jobs.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < JOBS_MAX
            && let Ok(job) = jobs.try_recv()
        {
            batch.push(job);
        }
        // Nobody waits for these any more; and a claim would hold entries for nobody.
        batch.retain(|job| !job.reply.is_closed());
        let answers = store.run(batch.iter().map(|job| &job.work));
        let close = batch.iter().any(|job| matches!(job.work, Work::Close));
        if close {
            store.close();
            jobs.close();
        }
        match answers {
            Ok(answers) => {
                for (job, answer) in batch.into_iter().zip(answers) {
                    answer_one(&mut store, job, answer, readies);
                }
            }
            Err(error) => {
                for job in batch {
                    // Whoever went away does not want to know.
                    let _ = job.reply.send(Err(QueueError::Unavailable(error.to_string())));
                }
            }
        }
        if close {
            return;
        }
    }
}

fn answer_one(store: &mut Store, job: Job, answer: Result<Answer, QueueError>, readies: &Readies) {
    let Job { work, reply } = job;
    let ready = match &work {
        Work::Append { lane, .. } | Work::GiveBack { lane, .. } | Work::Retry { lane, .. } => Some(*lane),
        _ => None,
    };
    let unheard = reply.send(answer).err();
    let ready = match (unheard, work) {
        (Some(Ok(Answer::Claimed { deliveries, .. })), Work::Claim { lane, .. }) => {
            store.take_back(lane, &deliveries, Instant::now());
            Some(lane)
        }
        _ => ready,
    };
    if let Some(lane) = ready {
        readies[lane as usize].send_modify(|count| *count += 1);
    }
}
