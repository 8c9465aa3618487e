//! Characters that no name may have, in any language.

/// Cc, and the separators of lines and paragraphs: names are one line.
pub(crate) const fn breaks_lines(c: char) -> bool {
    matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}')
}

/// Embeddings, overrides and isolates of bidirectional text. They reach beyond their place, so that
/// `photo⟨RLO⟩gpj.exe` is shown as a picture. The marks LRM, RLM and ALM, and the joiners, only act on their
/// neighbours, and names in Arabic, Hebrew, Persian and Hindi need them.
pub(crate) const fn reorders(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Noncharacters that no XML or JSON door could pass on faithfully, and the byte order mark, which is invisible.
pub(crate) const fn is_no_text(c: char) -> bool {
    matches!(c, '\u{feff}' | '\u{fffe}' | '\u{ffff}' | '\u{fdd0}'..='\u{fdef}')
}
