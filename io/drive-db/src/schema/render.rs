//! Statements of the schema for each engine.

use super::{Added, Column, Index, Kind, Step, Table};
use crate::engine::Engine;

/// The statements of a step.
pub(super) fn statements(step: &Step, engine: Engine) -> Vec<String> {
    match step {
        Step::Create(table) => create(table, engine),
        Step::Run(text) => vec![(*text).to_owned()],
        Step::Index(Index { table, name, columns }) => vec![match engine {
            // Servers have names of indexes for each table, and MySQL no `IF NOT EXISTS`: `migrate` looks first.
            Engine::MySql => format!("CREATE INDEX {name} ON {table} ({columns})"),
            Engine::Sqlite => format!("CREATE INDEX IF NOT EXISTS {table}_{name} ON {table} ({columns})"),
        }],
        Step::Sparse(Index { table, name, columns }, column) => match engine {
            Engine::MySql => Vec::new(),
            Engine::Sqlite => vec![
                format!("DROP INDEX IF EXISTS {table}_{name}"),
                format!("CREATE INDEX {table}_{name} ON {table} ({columns}) WHERE {column} IS NOT NULL"),
            ],
        },
        // SQLite and MySQL have no `IF NOT EXISTS` here: `migrate` looks first.
        Step::Add(Added { table, column }) => {
            vec![format!("ALTER TABLE {table} ADD COLUMN {}", define(column, engine))]
        }
        // Made by `migrate`.
        Step::FoundBy | Step::Parts(..) => Vec::new(),
    }
}

fn create(table: &Table, engine: Engine) -> Vec<String> {
    let mut lines: Vec<String> = table.columns.iter().map(|column| define(column, engine)).collect();
    lines.push(format!("PRIMARY KEY ({})", table.primary));
    lines.extend(table.references.iter().map(|(column, other)| {
        format!("CONSTRAINT {}_{column} FOREIGN KEY ({column}) REFERENCES {other} (id)", table.name)
    }));
    lines.extend(table.checks.iter().map(|check| format!("CHECK ({check})")));
    let name = table.name;
    match engine {
        Engine::MySql => {
            // Indexes before the references that would make some of their own.
            let keys = table.unique.iter().map(|(name, columns)| format!("UNIQUE KEY {name} ({columns})"));
            let more = table.indexes.iter().map(|(name, columns)| format!("KEY {name} ({columns})"));
            let at = table.columns.len() + 1;
            lines.splice(at..at, keys.chain(more).collect::<Vec<_>>());
            vec![format!(
                "CREATE TABLE IF NOT EXISTS {name} ({}) ENGINE = InnoDB ROW_FORMAT = DYNAMIC \
                 DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin",
                lines.join(", ")
            )]
        }
        Engine::Sqlite => {
            let mut statements =
                vec![format!("CREATE TABLE IF NOT EXISTS {name} ({}) STRICT", lines.join(", "))];
            let all = table.unique.iter().map(|index| ("UNIQUE INDEX", index));
            let all = all.chain(table.indexes.iter().map(|index| ("INDEX", index)));
            statements.extend(all.map(|(kind, (index, columns))| {
                format!("CREATE {kind} IF NOT EXISTS {name}_{index} ON {name} ({columns})")
            }));
            statements
        }
    }
}

fn define(column: &Column, engine: Engine) -> String {
    let kind = match (engine, column.kind) {
        (Engine::Sqlite, Kind::Int | Kind::Small) => "INTEGER".to_owned(),
        (Engine::Sqlite, Kind::Text(_)) => "TEXT".to_owned(),
        (Engine::Sqlite, Kind::Digest(_) | Kind::Bytes(_) | Kind::Blob) => "BLOB".to_owned(),
        (Engine::MySql, Kind::Int) => "BIGINT".to_owned(),
        (Engine::MySql, Kind::Small) => "SMALLINT".to_owned(),
        (Engine::MySql, Kind::Text(bytes) | Kind::Bytes(bytes)) => format!("VARBINARY({bytes})"),
        (Engine::MySql, Kind::Digest(bytes)) => format!("BINARY({bytes})"),
        (Engine::MySql, Kind::Blob) => "BLOB".to_owned(),
    };
    let null = if column.null { "" } else { " NOT NULL" };
    let default = column.default.map(|value| format!(" DEFAULT {value}")).unwrap_or_default();
    format!("{} {kind}{null}{default}", column.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{column, nullable};

    const THING: Table = Table {
        name: "things",
        columns: &[column("id", Kind::Int), nullable("name", Kind::Text(9)), column("sum", Kind::Digest(4))],
        primary: "id",
        unique: &[("name", "name")],
        indexes: &[("sum", "sum, id")],
        references: &[("id", "others")],
        checks: &["id > 0"],
    };

    #[test]
    fn one_description_gives_both_dialects() {
        let texts = statements(&Step::Create(&THING), Engine::Sqlite);
        let table = concat!(
            "CREATE TABLE IF NOT EXISTS things (id INTEGER NOT NULL, name TEXT, sum BLOB NOT NULL, ",
            "PRIMARY KEY (id), CONSTRAINT things_id FOREIGN KEY (id) REFERENCES others (id), CHECK (id > 0)) STRICT"
        );
        let unique = "CREATE UNIQUE INDEX IF NOT EXISTS things_name ON things (name)";
        assert_eq!(texts, [table, unique, "CREATE INDEX IF NOT EXISTS things_sum ON things (sum, id)"]);
        let texts = statements(&Step::Create(&THING), Engine::MySql);
        let table = concat!(
            "CREATE TABLE IF NOT EXISTS things (id BIGINT NOT NULL, name VARBINARY(9), sum BINARY(4) NOT NULL, ",
            "PRIMARY KEY (id), UNIQUE KEY name (name), KEY sum (sum, id), ",
            "CONSTRAINT things_id FOREIGN KEY (id) REFERENCES others (id), CHECK (id > 0)) ",
            "ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin"
        );
        assert_eq!(texts, [table]);
    }

    #[test]
    fn a_column_that_comes_later_is_defined_as_those_of_its_table() {
        const NOTE: Added = Added { table: "things", column: nullable("note", Kind::Text(7)) };
        let later = Step::Add(&NOTE);
        assert_eq!(statements(&later, Engine::Sqlite), ["ALTER TABLE things ADD COLUMN note TEXT"]);
        assert_eq!(statements(&later, Engine::MySql), ["ALTER TABLE things ADD COLUMN note VARBINARY(7)"]);
    }

    #[test]
    fn an_index_is_made_anew_for_few_rows_where_the_engine_can() {
        let sparse = Step::Sparse(&Index { table: "things", name: "sum", columns: "sum, id" }, "sum");
        let sqlite = "CREATE INDEX things_sum ON things (sum, id) WHERE sum IS NOT NULL";
        assert_eq!(statements(&sparse, Engine::Sqlite), ["DROP INDEX IF EXISTS things_sum", sqlite]);
        assert_eq!(statements(&sparse, Engine::MySql), Vec::<String>::new());
    }

    #[test]
    fn an_index_that_comes_later_is_named_as_those_of_its_table() {
        let later = Step::Index(&Index { table: "things", name: "later", columns: "name, id" });
        let sqlite = "CREATE INDEX IF NOT EXISTS things_later ON things (name, id)";
        assert_eq!(statements(&later, Engine::Sqlite), [sqlite]);
        assert_eq!(statements(&later, Engine::MySql), ["CREATE INDEX later ON things (name, id)"]);
    }
}
