//! The differences that are meant to be, each with its reason.

use crate::tally::Sort;

/// One reason, and what it explains.
#[derive(Debug)]
pub(crate) struct Expected {
    /// To storages, or to trackers.
    pub(crate) storage: bool,
    /// None for all.
    pub(crate) commands: &'static [u8],
    /// The case has to hold one of these; none for any.
    pub(crate) cases: &'static [&'static str],
    /// The field; empty for any.
    pub(crate) field: &'static str,
    /// What ours says; empty for anything, [`NOTHING`] for an empty text.
    pub(crate) ours: &'static str,
    /// What the original says; empty for anything.
    pub(crate) original: &'static str,
    /// In a sentence.
    pub(crate) why: &'static str,
    /// The words of `docs/compat.md` that say so.
    #[cfg_attr(not(test), expect(dead_code, reason = "a test looks for them in the page"))]
    pub(crate) documented: &'static str,
}

/// A value that is an empty text.
const NOTHING: &str = "nothing";

/// Any command, any case, any field, any value.
const ANY: Expected = Expected {
    storage: true,
    commands: &[],
    cases: &[],
    field: "",
    ours: "",
    original: "",
    why: "",
    documented: "",
};

pub(crate) const EXPECTED: &[Expected] = &[
    Expected {
        storage: false,
        commands: &[102, 103, 105],
        cases: &["no name: "],
        field: "status",
        ours: "22",
        why: "a tracker refuses what is no file name",
        documented: "the name has to be a file name; the original asks for its length only",
        ..ANY
    },
    Expected {
        cases: &["no name: "],
        field: "status",
        ours: "22",
        why: "a storage refuses what is no file name before it looks for it",
        documented: "What is no file name is refused with EINVAL",
        ..ANY
    },
    Expected {
        cases: &["the name of metadata"],
        field: "status",
        ours: "22",
        why: "metadata is no file for clients",
        documented: "S10",
        ..ANY
    },
    // Of a file whose extension ends so.
    Expected {
        commands: &[13, 21, 22],
        cases: &["no base64"],
        field: "status",
        ours: "22",
        original: "2",
        why: "metadata is no file for clients",
        documented: "S10",
        ..ANY
    },
    Expected {
        cases: &["the name of a trunk file"],
        field: "status",
        ours: "22",
        why: "trunk files are no files for clients",
        documented: "S3",
        ..ANY
    },
    Expected {
        cases: &["a hidden name"],
        field: "status",
        ours: "22",
        why: "the storage's own hidden files are no files for clients",
        documented: "and so are names that begin with a dot",
        ..ANY
    },
    Expected {
        commands: &[14],
        cases: &["empty"],
        field: "status",
        ours: "0",
        original: "22",
        why: "an empty file can be downloaded",
        documented: "T12",
        ..ANY
    },
    Expected {
        commands: &[24, 34, 36],
        cases: &["nothing", "to the length it has", "shorter or longer", "longer", "to nothing"],
        field: "body",
        ours: "no body",
        original: "a body",
        why: "a change of nothing has an empty answer, not the request's body",
        documented: "T8",
        ..ANY
    },
    Expected {
        commands: &[22],
        cases: &["a renamed slave"],
        field: "crc",
        why: "the name of a slave says nothing of its content",
        documented: "its CRC-32 is that of its content, not that of the name",
        ..ANY
    },
    Expected {
        commands: &[21],
        cases: &["a short name", "as that of metadata"],
        field: "status",
        ours: "22",
        why: "a slave may not have a name that reads as an ordinary file's, or as that of metadata",
        documented: "or that is short enough to pass for an ordinary file's, is refused with EINVAL",
        ..ANY
    },
    Expected {
        cases: &["breaking off"],
        field: "status",
        ours: "22",
        original: "closed",
        why: "a request whose length is wrong is refused before all of it has come",
        documented: "A body that is not as long as its fields say is refused with EINVAL",
        ..ANY
    },
    Expected {
        storage: false,
        cases: &["a length of 4 GiB more"],
        field: "status",
        ours: "closed",
        why: "the original reads the lowest 32 bits of a length",
        documented: "a length of more than 31 bits closes the connection",
        ..ANY
    },
    Expected {
        commands: &[9],
        field: "status",
        ours: "22",
        original: "0",
        why: "an id that is none is refused",
        documented: "9 with an id that is none is refused with EINVAL",
        ..ANY
    },
    Expected {
        storage: false,
        commands: &[59, 60, 70, 71],
        field: "status",
        ours: "22",
        why: "a status, a port, an address or a group that can be none is refused",
        documented: "and so is a status, a port or an address that can be none",
        ..ANY
    },
    Expected {
        storage: false,
        commands: &[63],
        cases: &["without a beginning"],
        field: "status",
        ours: "22",
        original: "0",
        why: "parts of state files are given out between 61 and 62 only",
        documented: "63 only between 61 and 62",
    },
    Expected {
        storage: false,
        commands: &[61],
        cases: &["while another copies", "after another"],
        field: "status",
        why: "a second tracker that wants the state files is told to come again, and does not hold up a thread",
        documented: "a second 61 is answered with EBUSY",
        ..ANY
    },
    Expected {
        commands: &[15],
        cases: &["odd metadata: of before it was renamed"],
        why: "metadata moves along with a file that gets another name",
        documented: "metadata moves along",
        ..ANY
    },
    Expected {
        commands: &[15],
        cases: &["odd metadata"],
        why: "records of metadata that are none are read in another way",
        documented: "of a name given twice the last value counts",
        ..ANY
    },
    // The same, read by another name of the file, whose records are not remembered.
    Expected {
        commands: &[14, 15],
        cases: &["the name of metadata", "no store path"],
        field: "length",
        why: "records of metadata that are none are read in another way",
        documented: "too long a name or value is cut",
        ..ANY
    },
    Expected {
        storage: false,
        commands: &[86],
        field: "status",
        ours: "2",
        original: "0",
        why: "who waits to be filled and has not said by whom is not \"filled by nobody\"",
        documented: "86 about a storage that waits to be filled and has not said by whom is refused",
        ..ANY
    },
    Expected {
        storage: false,
        commands: &[86],
        field: "length",
        ours: "0",
        original: "24",
        why: "who is told that it needs no source has none from then on",
        documented: "Who is told that it needs no source has none from then on",
        ..ANY
    },
    Expected {
        storage: false,
        commands: &[81, 92],
        field: "source",
        ours: NOTHING,
        why: "who is told that it needs no source has none from then on",
        documented: "the original keeps naming an earlier one (81, 86, 92)",
        ..ANY
    },
    Expected {
        storage: false,
        commands: &[105],
        cases: &["of an hour ago", "of now"],
        field: "length",
        why: "a new file is read where its own source's changes have arrived, and not where the least of a report says",
        documented: "A new file is read where all of its source up to it has arrived",
        ..ANY
    },
    Expected {
        storage: false,
        commands: &[101, 102, 103, 104, 106],
        field: "address",
        why: "of several storages that fit it is another one's turn",
        documented: "whose turn it is among several that fit is counted from another one on",
        ..ANY
    },
    Expected {
        storage: false,
        commands: &[101, 106],
        field: "group",
        why: "of several groups that fit it is another one's turn",
        documented: "whose turn it is among several that fit is counted from another one on",
        ..ANY
    },
    Expected {
        commands: &[14],
        cases: &["the name of metadata"],
        field: "status",
        ours: "0",
        original: "2",
        why: "metadata that moved along with its file is found under its own name, by a member of the group",
        documented: "a member may download metadata by its file name",
        ..ANY
    },
    Expected {
        storage: false,
        commands: &[92, 93],
        cases: &["at last"],
        why: "others do not make a storage online that is away, so that it can be deleted",
        documented: "That a storage serves is not taken on the word of others",
        ..ANY
    },
    Expected {
        storage: false,
        commands: &[92],
        cases: &["a member, at last"],
        why: "who was deleted has figures still",
        documented: "A storage that joins after it was deleted has its store paths, space and priority",
        ..ANY
    },
    Expected {
        storage: false,
        commands: &[106],
        field: "length",
        why: "and another group has another number of storages",
        documented: "whose turn it is among several that fit is counted from another one on",
        ..ANY
    },
    Expected {
        storage: false,
        commands: &[90, 91],
        field: "current write server",
        why: "whose turn it is, as a number",
        documented: "whose turn it is among several that fit is counted from another one on",
        ..ANY
    },
    Expected {
        storage: false,
        commands: &[85],
        cases: &["its body left out"],
        field: "status",
        ours: "0",
        original: "22",
        why: "a report about nobody changes nothing",
        documented: "85 without a record is no error",
    },
    Expected {
        storage: false,
        commands: &[92],
        cases: &["at the end"],
        why: "only the original leaves changes of nothing out of its counters, and each counts refusals from another point on",
        documented: "what is refused before its file is looked for is counted",
        ..ANY
    },
    Expected {
        commands: &[40],
        field: "body",
        ours: "no body",
        original: "a body",
        why: "a rename between members has an empty answer",
        documented: "T9",
        ..ANY
    },
    Expected {
        commands: &[40],
        field: "status",
        ours: "2",
        original: "0",
        why: "a rename that does not fit the file asks for the whole of it, and ordinary files are not renamed",
        documented: "asks for the whole file where it sees that one came too late, also at a rename",
        ..ANY
    },
    Expected {
        commands: &[25],
        field: "status",
        ours: "2",
        original: "17",
        why: "a part that is here already with other bytes is not taken for done: the whole file is asked for",
        documented: "asks for the whole file where it sees that one came too late",
        ..ANY
    },
    Expected {
        commands: &[16],
        cases: &["said to be here already"],
        field: "status",
        ours: "2",
        original: "17",
        why: "who is told that a file is here already, and it is not, says so",
        documented: "16 without content about a file that is not here is answered with ENOENT",
        ..ANY
    },
    Expected {
        commands: &[16],
        cases: &["again: ", "content that is not that of its id"],
        field: "status",
        why: "a copy that is not what its id says is refused, and one of a deleted file not kept",
        documented: "a copy whose size or CRC-32 is not that in its id is refused with EIO",
        ..ANY
    },
    Expected {
        commands: &[16, 18],
        cases: &["directories that are not there"],
        field: "status",
        original: "2",
        why: "directories are made when the first file needs them",
        documented: "folders are made when the first file needs them",
        ..ANY
    },
    Expected {
        commands: &[20],
        cases: &["a short name", "an extension"],
        field: "status",
        ours: "22",
        why: "the name of a link keeps to the rules of names",
        documented: "the new name has to be one that a slave or an upload may have",
        ..ANY
    },
    Expected {
        commands: &[20],
        cases: &["named after"],
        field: "status",
        ours: "2",
        why: "the file that a link is named after has to be there",
        documented: "and the file it is named after has to be there",
        ..ANY
    },
    Expected {
        cases: &["no base64"],
        commands: &[24, 34, 36, 38],
        field: "status",
        ours: "22",
        original: "2",
        why: "what has no readable stamp is no appender",
        documented: "What is no file name is refused with EINVAL",
        ..ANY
    },
    Expected {
        cases: &["no store path"],
        commands: &[22, 24, 34, 36, 38],
        why: "of a name without store path the original reads the stamp four characters too far",
        documented: "Of a name that begins with the directories the original reads the stamp four characters too far",
        ..ANY
    },
    Expected {
        cases: &["its body", "three bytes behind"],
        field: "status",
        ours: "22",
        why: "a storage looks at the length of a body before anything else, and the original lets a few pass",
        documented: "the original lets a few pass",
        ..ANY
    },
    Expected {
        storage: false,
        cases: &["its body", "three bytes behind"],
        field: "status",
        ours: "22",
        why: "the length is looked at before anything else",
        documented: "A body of the wrong length is refused with EINVAL first",
        ..ANY
    },
];

/// The first reason for a sort of difference.
pub(crate) fn explains(sort: &Sort) -> Option<usize> {
    EXPECTED.iter().position(|expected| expected.fits(sort))
}

impl Expected {
    fn fits(&self, sort: &Sort) -> bool {
        let value = |wanted: &str, of: fn(&(String, String)) -> &String| {
            let text = if wanted == NOTHING { "" } else { wanted };
            wanted.is_empty() || sort.values.as_ref().is_some_and(|values| of(values) == text)
        };
        self.storage == sort.storage
            && (self.commands.is_empty() || self.commands.contains(&sort.command))
            && (self.cases.is_empty() || self.cases.iter().any(|case| sort.case.contains(case)))
            && (self.field.is_empty() || self.field == sort.field)
            && value(self.ours, |(ours, _)| ours)
            && value(self.original, |(_, original)| original)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sort(case: &str, ours: &str, original: &str) -> Sort {
        Sort {
            storage: true,
            command: 14,
            name: "download_file",
            case: case.to_owned(),
            field: "status".to_owned(),
            values: Some((ours.to_owned(), original.to_owned())),
        }
    }

    #[test]
    fn every_difference_that_is_meant_is_on_the_page_about_compatibility() {
        let page = include_str!("../../../docs/compat.md").split_whitespace().collect::<Vec<_>>().join(" ");
        for Expected { why, documented, .. } in EXPECTED {
            assert!(!documented.is_empty() && page.contains(documented), "{why}: {documented}");
        }
    }

    #[test]
    fn a_reason_explains_its_values_only() {
        let why = |sort: &Sort| explains(sort).map(|index| EXPECTED[index].why);
        let empty = Some("an empty file can be downloaded");
        assert_eq!(why(&sort("an ordinary file, empty", "0", "22")), empty);
        assert_eq!(why(&sort("an ordinary file, empty", "5", "22")), None);
        assert_eq!(why(&sort("an ordinary file", "0", "22")), None);
        let source = |ours| Sort {
            storage: false,
            command: 92,
            field: "source".to_owned(),
            ..sort("", ours, "127.0.0.9")
        };
        assert_eq!(why(&source("")), Some("who is told that it needs no source has none from then on"));
        assert_eq!(why(&source("127.0.0.8")), None);
    }
}
