//! On which line of a JSON text a pointer's value begins. The text has been parsed before; what cannot be followed ends the search at the
//! nearest place around it.

/// 1-based line of the value at `pointer`, or of the nearest value around it that is there.
pub(crate) fn line_of(text: &str, pointer: &str) -> usize {
    let steps: Vec<String> = pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~")).collect();
    let mut scan = Scan { text: text.as_bytes(), at: 0 };
    let mut found = 0;
    for step in &steps {
        scan.blank();
        found = scan.at;
        let entered = match scan.peek() {
            Some(b'{') => scan.enter_key(step),
            Some(b'[') => step.parse().is_ok_and(|index| scan.enter_index(index)),
            _ => false,
        };
        if !entered {
            return count(text, found);
        }
        scan.blank();
        found = scan.at;
    }
    count(text, found)
}

fn count(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blank(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.blank();
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// Goes to the value of `key` in the object that begins here.
    fn enter_key(&mut self, key: &str) -> bool {
        self.take(b'{');
        loop {
            self.blank();
            let Some(name) = self.string() else { return false };
            if !self.take(b':') {
                return false;
            }
            if name == key {
                return true;
            }
            self.skip();
            if !self.take(b',') {
                return false;
            }
        }
    }

    /// Goes to the item `index` of the list that begins here.
    fn enter_index(&mut self, index: usize) -> bool {
        self.take(b'[');
        for _ in 0..index {
            self.skip();
            if !self.take(b',') {
                return false;
            }
        }
        self.blank();
        self.peek() != Some(b']')
    }

    fn string(&mut self) -> Option<String> {
        let from = self.at;
        self.skip_string();
        serde_json::from_slice(self.text.get(from..self.at)?).ok()
    }

    fn skip_string(&mut self) {
        if self.peek() != Some(b'"') {
            return;
        }
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += if byte == b'\\' { 2 } else { 1 };
            if byte == b'"' {
                return;
            }
        }
    }

    /// Over one value, however deep.
    fn skip(&mut self) {
        self.blank();
        let mut depth = 0usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => {
                    self.skip_string();
                    if depth == 0 {
                        return;
                    }
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth == 0 => return,
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += 1;
                        return;
                    }
                }
                b',' if depth == 0 => return,
                _ => {}
            }
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::line_of;

    const TEXT: &str = "{\n  \"a\": {\"x\": 1, \"b/c\": [\n    10,\n    {\"d\": \"}],\\\"\",\n     \"e\": true}\n  ]},\n  \"f\": 2\n}\n";

    #[test]
    fn a_pointer_finds_its_line() {
        for (pointer, line) in
            [("", 1), ("/a", 2), ("/a/x", 2), ("/a/b~1c", 2), ("/a/b~1c/0", 3), ("/a/b~1c/1", 4), ("/a/b~1c/1/e", 5), ("/f", 7)]
        {
            assert_eq!(line_of(TEXT, pointer), line, "{pointer}");
        }
    }

    #[test]
    fn what_is_not_there_is_found_at_what_is_around_it() {
        for (pointer, line) in [("/z", 1), ("/a/z/y", 2), ("/a/b~1c/7", 2), ("/a/b~1c/1/z", 4), ("/f/g", 7)] {
            assert_eq!(line_of(TEXT, pointer), line, "{pointer}");
        }
        assert_eq!(line_of("", "/a"), 1);
        assert_eq!(line_of("{\"a", "/a/b"), 1);
    }
}
