//! What somebody searches for.

use crate::node::SearchKey;
use crate::problem::Problem;

/// Characters of a query at most.
pub const SEARCH_CHARS_MAX: usize = 200;
/// Terms of a query at most.
pub const SEARCH_TERMS_MAX: usize = 8;

/// Terms that a name must all have, anywhere in it, in any order; blanks stand between them. Case and width do not
/// count ([`SearchKey`]). What lies in the trash is not searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    terms: Vec<SearchKey>,
}

impl SearchQuery {
    /// The query that a text is.
    pub fn new(text: &str) -> Result<Self, Problem> {
        const INVALID: Problem = Problem::FieldInvalid("q");
        if text.len() > 4 * SEARCH_CHARS_MAX || text.chars().count() > SEARCH_CHARS_MAX {
            return Err(INVALID);
        }
        let mut terms = Vec::new();
        for word in text.split_whitespace() {
            let term = SearchKey::of(word);
            if !terms.contains(&term) {
                terms.push(term);
            }
        }
        let fits = (1..=SEARCH_TERMS_MAX).contains(&terms.len());
        if fits { Ok(Self { terms }) } else { Err(INVALID) }
    }

    /// A pattern for each term, for `LIKE … ESCAPE '!'` on the column of search keys. `!` and not `\`, which MySQL's
    /// strings take for themselves.
    pub fn like_patterns(&self) -> impl Iterator<Item = String> {
        self.terms.iter().map(|term| {
            let mut pattern = String::from("%");
            for c in term.as_str().chars() {
                if matches!(c, '!' | '%' | '_') {
                    pattern.push('!');
                }
                pattern.push(c);
            }
            pattern.push('%');
            pattern
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_terms_that_are_folded_and_escaped() {
        for (text, patterns) in [
            ("Report", &["%report%"][..]),
            ("  我的  文档 ", &["%我的%", "%文档%"]),
            ("ＡＢＣ abc", &["%abc%"]),
            ("100%_!", &["%100!%!_!!%"]),
            ("' OR 1=1", &["%'%", "%or%", "%1=1%"]),
            ("\\", &["%\\%"]),
        ] {
            let query = SearchQuery::new(text).unwrap();
            assert_eq!(query.like_patterns().collect::<Vec<_>>(), patterns, "{text}");
        }
    }

    #[test]
    fn a_query_has_something_to_find_and_an_end() {
        for (text, fits) in [
            ("", false),
            (" \u{3000}", false),
            ("a b c d e f g h", true),
            ("a b c d e f g h i", false),
            ("a a a a a a a a a", true),
            (&*"文".repeat(200), true),
            (&*"文".repeat(201), false),
            (&*"a".repeat(1_000_000), false),
        ] {
            assert_eq!(SearchQuery::new(text).is_ok(), fits, "{text}");
        }
    }
}
