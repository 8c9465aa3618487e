//! Listeners, deadlines, framed connections, allow lists.
