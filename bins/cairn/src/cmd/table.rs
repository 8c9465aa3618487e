//! Columns that line up.

/// Rows under a heading.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(heading: [&str; N]) -> Self {
        Self { rows: vec![heading.iter().map(ToString::to_string).collect()] }
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }

    /// All rows, each behind `indent`; numbers to the right, the rest to the left.
    pub(crate) fn text(&self, indent: &str) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cell = |row: usize, column: usize| {
            self.rows.get(row).and_then(|cells| cells.get(column)).map_or("", String::as_str)
        };
        let layout: Vec<(usize, bool)> = (0..columns)
            .map(|column| {
                let width = (0..self.rows.len()).map(|row| cell(row, column).chars().count()).max();
                let right = (1..self.rows.len()).all(|row| is_figure(cell(row, column)));
                (width.unwrap_or(0), right && self.rows.len() > 1)
            })
            .collect();
        let mut text = String::new();
        for row in 0..self.rows.len() {
            let mut line = indent.to_owned();
            for (column, (width, right)) in layout.iter().copied().enumerate() {
                let cell = cell(row, column);
                let gap = if column == 0 { "" } else { "  " };
                line.push_str(gap);
                line.push_str(&if right { format!("{cell:>width$}") } else { format!("{cell:<width$}") });
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

/// A number, perhaps with a unit of size behind it.
fn is_figure(cell: &str) -> bool {
    let number = cell.split(' ').next().unwrap_or_default();
    let unit_or_nothing = cell.split(' ').skip(1).all(|word| word.is_empty() || word.ends_with('B'));
    unit_or_nothing && number.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_words_to_the_left() {
        let mut table = Table::new(["id", "free", "status"]);
        table.row(["100001".into(), "9.5 GB".into(), "ACTIVE".into()]);
        table.row(["2".into(), "120 GB".into(), "OFFLINE".into()]);
        assert_eq!(
            table.text("  "),
            "      id    free  status\n  100001  9.5 GB  ACTIVE\n       2  120 GB  OFFLINE\n"
        );
    }

    #[test]
    fn a_heading_alone_is_a_line() {
        assert_eq!(Table::new(["id", "free"]).text(""), "id  free\n");
    }
}
