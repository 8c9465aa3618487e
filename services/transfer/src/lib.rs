//! Whole folders up and down: manifest, resume, verification.
