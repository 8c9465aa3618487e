//! The registry: every key of every file, declared once.
//!
//! A row says the key's name, type, default, meaning, whether it is FastDFS's or our own, and whether it does anything. From the
//! rows come the structs of typed values (the first stage of loading), the default files, the reference page, and the
//! suggestions for mistyped keys.

mod reader;
mod spec;

pub(crate) use reader::{Given, Many, Maybe, Numbered, One, Reader, Slot};
pub(crate) use spec::check_names;
pub use spec::{FileSpec, SectionSpec};

/// How a value is written, for parsing and for the reference page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true`/`yes`/`on`/`1`, `false`/`no`/`off`/`0`.
    Bool,
    /// A whole number.
    Number {
        /// What is counted.
        unit: Unit,
        /// Smallest.
        min: i64,
        /// Largest.
        max: i64,
        /// What happens outside.
        fit: Fit,
    },
    /// Bytes, with K, M, G or T.
    Size {
        /// Smallest.
        min: u64,
        /// Largest.
        max: u64,
        /// What happens outside.
        fit: Fit,
    },
    /// `HH:MM` or `HH:MM:SS`.
    Time,
    /// Words or a text, described here.
    Text(&'static str),
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Unit {
    One,
    Seconds,
    Milliseconds,
    Days,
}

/// What happens to a number outside its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It stops the start.
    Strict,
    /// Below the least, the default is used, as FastDFS does; above the largest, it stops the start.
    DefaultBelow,
    /// The nearest limit is used, as FastDFS does.
    Clamp,
}

/// Whose key it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// FastDFS's.
    Fastdfs,
    /// Our own; FastDFS would ignore it.
    Cairn,
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What its line says.
    Used,
    /// Nothing, silently: shipped files set it.
    Ignored {
        /// Why nothing is lost.
        why: &'static str,
    },
    /// Nothing, with a warning: FastDFS itself no longer reads it, or it asks for something there is not.
    Retired {
        /// What to do instead.
        instead: &'static str,
    },
}

/// How often and under which names a key can occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Once; the last one counts.
    Once,
    /// Any number of times.
    Repeated,
    /// `#` in the name stands for a number.
    Numbered,
    /// The name ends in `*`, which stands for anything.
    Family,
}

/// One row of the registry.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As in the file.
    pub name: &'static str,
    /// Heading it belongs under.
    pub group: &'static str,
    /// How its value is written.
    pub kind: Kind,
    /// The value when the key is absent, as one would write it; `None`: no value, or required.
    pub default: Option<&'static str>,
    /// Shown instead when absence means something other than a value.
    pub absent: &'static str,
    /// What the default file sets; `None`: the default file shows the default in a comment.
    pub sample: Option<&'static str>,
    /// One line.
    pub doc: &'static str,
    /// Whose it is.
    pub origin: Origin,
    /// What it does.
    pub effect: Effect,
    /// How often.
    pub shape: Shape,
}

impl Key {
    const fn new(kind: Kind) -> Key {
        Key {
            name: "",
            group: "",
            kind,
            default: None,
            absent: "",
            sample: None,
            doc: "",
            origin: Origin::Fastdfs,
            effect: Effect::Used,
            shape: Shape::Once,
        }
    }

    pub(crate) const fn default(mut self, text: &'static str) -> Key {
        self.default = Some(text);
        self
    }

    /// What absence means, where that is not a value.
    pub(crate) const fn absent(mut self, meaning: &'static str) -> Key {
        self.absent = meaning;
        self
    }

    pub(crate) const fn sample(mut self, text: &'static str) -> Key {
        self.sample = Some(text);
        self
    }

    pub(crate) const fn doc(mut self, line: &'static str) -> Key {
        self.doc = line;
        self
    }

    pub(crate) const fn ours(mut self) -> Key {
        self.origin = Origin::Cairn;
        self
    }

    pub(crate) const fn named(mut self, name: &'static str) -> Key {
        self.name = name;
        self
    }

    /// For keys that are not read: how many names the row stands for.
    pub(crate) const fn shaped(mut self, shape: Shape) -> Key {
        self.shape = shape;
        self
    }

    /// Completes a row inside the registry: the field's name unless it has its own, heading, shape.
    pub(crate) const fn row(mut self, field: &'static str, group: &'static str, shape: Shape) -> Key {
        if self.name.is_empty() {
            self.name = field;
        }
        self.group = group;
        self.shape = shape;
        self
    }

    /// Whether this row is the one for a key in a file. Names are matched exactly, as FastDFS does.
    pub fn matches(&self, name: &str) -> bool {
        match self.shape {
            Shape::Once | Shape::Repeated => self.name == name,
            Shape::Numbered => self.number_in(name).is_some(),
            Shape::Family => name.starts_with(self.name.trim_end_matches('*')),
        }
    }

    fn number_in(&self, name: &str) -> Option<u32> {
        number_in(self.name, name)
    }
}

/// The number that stands for `#` in a name: canonical, at most three digits.
fn number_in(pattern: &str, name: &str) -> Option<u32> {
    let (head, tail) = pattern.split_once('#')?;
    let digits = name.strip_prefix(head)?.strip_suffix(tail)?;
    let canonical = (1..=3).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && (digits.len() == 1 || !digits.starts_with('0'));
    digits.parse().ok().filter(|_| canonical)
}

pub(crate) const fn flag() -> Key {
    Key::new(Kind::Bool)
}
pub(crate) const fn number(min: i64, max: i64, fit: Fit) -> Key {
    Key::new(Kind::Number { unit: Unit::One, min, max, fit })
}
/// Seconds; FastDFS counts them in 32 bits.
pub(crate) const fn seconds(min: i64, fit: Fit) -> Key {
    Key::new(Kind::Number { unit: Unit::Seconds, min, max: i32::MAX as i64, fit })
}
pub(crate) const fn milliseconds(min: i64, fit: Fit) -> Key {
    Key::new(Kind::Number { unit: Unit::Milliseconds, min, max: i32::MAX as i64, fit })
}
pub(crate) const fn days() -> Key {
    Key::new(Kind::Number { unit: Unit::Days, min: 0, max: i32::MAX as i64, fit: Fit::Clamp })
}
pub(crate) const fn size(min: u64, max: u64, fit: Fit) -> Key {
    Key::new(Kind::Size { min, max, fit })
}
pub(crate) const fn time() -> Key {
    Key::new(Kind::Time)
}
pub(crate) const fn text(shape: &'static str) -> Key {
    Key::new(Kind::Text(shape))
}
/// A key that is known and does nothing, silently.
pub(crate) const fn ignored(name: &'static str, why: &'static str) -> Key {
    Key { name, group: "Ignored", effect: Effect::Ignored { why }, ..Key::new(Kind::Text("anything")) }
}
/// A key that is known and does nothing, with a warning.
pub(crate) const fn retired(name: &'static str, instead: &'static str) -> Key {
    Key { name, group: "Retired", effect: Effect::Retired { instead }, ..Key::new(Kind::Text("anything")) }
}

/// Declares a table of rows and the struct of their values.
///
/// `field: Slot = row;` under a heading; the key is named like the field unless the row says `.named(…)`.
macro_rules! conf_keys {
    (
        $(#[$attr:meta])*
        struct $raw:ident, table $table:ident;
        $( $group:literal { $( $field:ident: $slot:ty = $row:expr; )* } )*
    ) => {
        $(#[$attr])*
        #[derive(Debug)]
        pub(crate) struct $raw {
            $( $( pub(crate) $field: $slot, )* )*
        }

        #[doc = concat!("The rows of [`", stringify!($raw), "`].")]
        pub(crate) const $table: &[$crate::registry::Key] = &[
            $( $( $row.row(stringify!($field), $group, <$slot as $crate::registry::Slot>::SHAPE), )* )*
        ];

        impl $raw {
            pub(crate) fn read(
                reader: &mut $crate::registry::Reader<'_>,
            ) -> Result<Self, $crate::error::ConfError> {
                Ok(Self {
                    $( $( $field: {
                        const KEY: $crate::registry::Key =
                            $row.row(stringify!($field), $group, <$slot as $crate::registry::Slot>::SHAPE);
                        <$slot as $crate::registry::Slot>::read(reader, &KEY)?
                    }, )* )*
                })
            }
        }
    };
}
pub(crate) use conf_keys;
