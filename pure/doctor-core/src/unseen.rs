//! What a look could not see: that a trouble is not found there does not mean that it is gone.

use std::collections::BTreeSet;

use crate::decide::ClusterSeen;
use crate::finding::{Subject, What, topic};

/// What could not be looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unseen {
    /// No tracker answered, so nothing is known of the cluster.
    pub cluster: bool,
    /// A configuration does not load, so what it names was not looked at.
    pub conf: bool,
    /// Servers that did not tell how they are: trackers that are silent, storages that do not serve or answer.
    pub servers: BTreeSet<String>,
}

impl Unseen {
    /// Of one look: at a cluster, and at configurations with what was found in them.
    pub fn of(seen: &ClusterSeen, in_confs: &[What]) -> Self {
        let silent = seen.trackers.iter().filter(|tracker| tracker.answer.is_err());
        let away = seen.storages.iter().filter(|storage| !storage.tells());
        Self {
            cluster: seen.trackers.iter().all(|tracker| tracker.answer.is_err()),
            conf: in_confs.iter().any(|what| what.subject().topic == topic::CONF),
            servers: silent
                .map(|tracker| tracker.name.clone())
                .chain(away.map(|storage| storage.name.clone()))
                .collect(),
        }
    }

    /// Whether a trouble may well be there, found or not.
    pub fn hides(&self, subject: &Subject) -> bool {
        match subject.topic.as_str() {
            topic::CONF | topic::CONF_ODD => false,
            topic::PATH | topic::PORT | topic::OPEN_FILES => self.conf,
            // These are about being away.
            topic::TRACKER_SILENT => false,
            topic::STORAGE => self.cluster,
            _ => self.cluster || subject.names.iter().any(|name| self.servers.contains(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::{TrackerAnswer, TrackerSeen};

    fn subject(topic: &str, names: &[&str]) -> Subject {
        Subject { topic: topic.to_owned(), names: names.iter().map(|name| (*name).to_owned()).collect() }
    }

    fn tracker(name: &str, answers: bool) -> TrackerSeen {
        let answer = if answers { Ok(TrackerAnswer::default()) } else { Err("refused".to_owned()) };
        TrackerSeen { name: name.to_owned(), ips: Vec::new(), named: true, answer }
    }

    #[test]
    fn without_a_tracker_nothing_is_known_of_the_cluster() {
        let seen = ClusterSeen { now: 0, trackers: vec![tracker("t1", false)], storages: Vec::new() };
        let unseen = Unseen::of(&seen, &[]);
        for (topic, name, hidden) in [
            ("storage", "group1/a", true),
            ("group", "group1", true),
            ("space", "group1/a", true),
            ("tracker_silent", "t1", false),
            ("path", "/x", false),
        ] {
            assert_eq!(unseen.hides(&subject(topic, &[name])), hidden, "{topic}");
        }
    }

    #[test]
    fn what_a_silent_server_would_tell_may_still_be_so() {
        let trackers = vec![tracker("t1", true), tracker("t2", false)];
        let mut unseen = Unseen::of(&ClusterSeen { now: 0, trackers, storages: Vec::new() }, &[]);
        unseen.servers.insert("group1/a".to_owned());
        for (topic, names, hidden) in [
            ("storage", &["group1/a"] as &[&str], false),
            ("space", &["group1/a"], true),
            ("files_without_copy", &["group1/b"], false),
            ("leaders_differ", &["t1", "t2"], true),
            ("leader_none", &["t1"], false),
            ("group", &["group1"], false),
        ] {
            assert_eq!(unseen.hides(&subject(topic, names)), hidden, "{topic}");
        }
    }

    #[test]
    fn what_a_configuration_names_is_not_seen_when_it_does_not_load() {
        let bad = What::ConfUnknown { file: "a.conf".to_owned() };
        let seen = ClusterSeen { trackers: vec![tracker("t1", true)], ..ClusterSeen::default() };
        let unseen = Unseen::of(&seen, &[bad]);
        assert!(unseen.hides(&subject("path", &["/x"])));
        assert!(!unseen.hides(&subject("conf", &["a.conf"])));
        assert!(!unseen.hides(&subject("group", &["group1"])));
    }
}
