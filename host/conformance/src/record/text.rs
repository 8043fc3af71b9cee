//! JSON as people write fixtures: two spaces, and what is short on one line.

use serde_json::Value;

/// Longest line that holds a whole object or list.
const WIDTH: usize = 110;

pub(super) fn written(value: &Value) -> String {
    let mut out = String::new();
    write(value, 0, &mut out);
    out.push('\n');
    out
}

fn write(value: &Value, depth: usize, out: &mut String) {
    let short = one_line(value);
    // The outermost object is always spread out.
    if depth > 0 && short.chars().count() + 2 * depth <= WIDTH {
        out.push_str(&short);
        return;
    }
    let (open, close, items): (char, char, Vec<(String, &Value)>) = match value {
        Value::Object(map) if !map.is_empty() => ('{', '}', map.iter().map(|(key, value)| (format!("{}: ", quoted(key)), value)).collect()),
        Value::Array(list) if !list.is_empty() => ('[', ']', list.iter().map(|value| (String::new(), value)).collect()),
        _ => {
            out.push_str(&short);
            return;
        }
    };
    out.push(open);
    for (index, (key, value)) in items.iter().enumerate() {
        out.push_str(if index == 0 { "\n" } else { ",\n" });
        out.push_str(&"  ".repeat(depth + 1));
        out.push_str(key);
        write(value, depth + 1, out);
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push(close);
}

fn one_line(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let inside: Vec<String> = map.iter().map(|(key, value)| format!("{}: {}", quoted(key), one_line(value))).collect();
            format!("{{{}}}", inside.join(", "))
        }
        Value::Array(list) => format!("[{}]", list.iter().map(one_line).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

fn quoted(key: &str) -> String {
    Value::String(key.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn short_things_stay_on_one_line_and_nothing_is_lost() {
        let value = json!({ "a": { "b": [1, "x\"y"], "c": null }, "long": ["0123456789".repeat(8), "0123456789".repeat(8)], "e": {} });
        let text = super::written(&value);
        assert!(text.contains("\n  \"a\": {\"b\": [1, \"x\\\"y\"], \"c\": null},\n  \"long\": [\n    \"0123"), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).ok(), Some(value));
    }
}
