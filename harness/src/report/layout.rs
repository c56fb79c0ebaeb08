//! Text in columns: widths as a terminal counts them.

use unicode_width::UnicodeWidthStr as _;

/// `text` in lines of at most `width` columns, broken between words, and within a word only where it is longer itself.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().unwrap_or_else(|| unreachable!("never empty"));
        if line.is_empty() {
            line.push_str(word);
        } else if line.width() + 1 + word.width() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines.iter().flat_map(|line| pieces(line, width)).collect()
}

/// `line` cut into pieces of at most `width` columns.
fn pieces(line: &str, width: usize) -> Vec<String> {
    let mut pieces = vec![String::new()];
    for c in line.chars() {
        let piece = pieces.last_mut().unwrap_or_else(|| unreachable!("never empty"));
        if piece.width() + c.to_string().width() > width {
            pieces.push(c.to_string());
        } else {
            piece.push(c);
        }
    }
    pieces
}

/// `text`, cut with an ellipsis where it is wider than `width`.
pub(crate) fn clipped(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    pieces(text, width.saturating_sub(1)).swap_remove(0) + "…"
}
