//! A word as it is compared: lower case, without accents, and letters that no keyboard elsewhere has spelt out.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Lower case, with its accents: what the rules of a language are about.
#[must_use]
pub fn lower(word: &str) -> String {
    if word.is_ascii() { word.to_ascii_lowercase() } else { word.nfc().collect::<String>().to_lowercase() }
}

/// Lower case without accents.
#[must_use]
pub fn fold(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    fold_into(word, &mut folded);
    folded
}

/// Adds it to a text.
pub fn fold_into(word: &str, folded: &mut String) {
    if word.is_ascii() {
        let from = folded.len();
        folded.push_str(word);
        folded[from..].make_ascii_lowercase();
        return;
    }
    for c in word.nfkd().flat_map(char::to_lowercase) {
        match c {
            c if is_combining_mark(c) => {}
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'þ' => folded.push_str("th"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' | 'ð' => folded.push('d'),
            'ı' => folded.push('i'),
            'ς' => folded.push('σ'),
            c => folded.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_case_and_letters_of_one_language_do_not_tell_words_apart() {
        for (word, folded) in [
            ("Énergétique", "energetique"),
            ("Straße", "strasse"),
            ("İstanbul", "istanbul"),
            ("ISPARTA", "isparta"),
            ("ılık", "ilik"),
            ("Smørrebrød", "smorrebrod"),
            ("Łódź", "lodz"),
            ("ΛΌΓΟΣ", "λογοσ"),
            ("λόγος", "λογοσ"),
            ("Ёлка", "елка"),
        ] {
            assert_eq!(fold(word), folded);
        }
        assert_eq!((lower("HÄUSER"), lower("e\u{301}TÉ")), ("häuser".to_owned(), "été".to_owned()));
    }
}
