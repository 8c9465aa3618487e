//! The known name nearest to a mistyped one.

/// Longest name compared; the work grows with the square.
const COMPARED_MAX: usize = 64;

/// The known name with the fewest insertions, deletions, changes and swaps of neighbours from `name`, if it is near enough to
/// be what was meant: a third of the name, and no more than four.
pub(crate) fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    const FAR: usize = 4;
    if name.len() > COMPARED_MAX {
        return None;
    }
    let near_enough = (name.len() / 3).min(FAR);
    known
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= near_enough)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance, by bytes.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let width = b.len() + 1;
    let mut cost = vec![0usize; (a.len() + 1) * width];
    let at = |i: usize, j: usize| i * width + j;
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            let best = if i == 0 || j == 0 {
                i + j
            } else {
                let same = usize::from(a[i - 1] != b[j - 1]);
                let mut best =
                    (cost[at(i - 1, j)] + 1).min(cost[at(i, j - 1)] + 1).min(cost[at(i - 1, j - 1)] + same);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(cost[at(i - 2, j - 2)] + 1);
                }
                best
            };
            cost[at(i, j)] = best;
        }
    }
    cost[at(a.len(), b.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["store_path_count", "store_path", "tracker_server", "port"];

    #[test]
    fn a_swapped_letter_finds_the_name_that_was_meant() {
        assert_eq!(nearest("tarcker_server", KNOWN.into_iter()), Some("tracker_server"));
        assert_eq!(nearest("store_path_cont", KNOWN.into_iter()), Some("store_path_count"));
    }

    #[test]
    fn a_name_of_its_own_finds_nothing() {
        assert_eq!(nearest("colour", KNOWN.into_iter()), None);
        assert_eq!(nearest("", KNOWN.into_iter()), None);
        assert_eq!(nearest(&"p".repeat(65), KNOWN.into_iter()), None);
    }

    #[test]
    fn distance_counts_single_edits() {
        assert_eq!(distance("port", "port"), 0);
        assert_eq!(distance("prot", "port"), 1);
        assert_eq!(distance("", "port"), 4);
        assert_eq!(distance("ports", "sport"), 2);
    }
}
