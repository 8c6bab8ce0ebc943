//! JSON objects on one line, their members in the order in which they are said.

use serde_json::Value;

/// A JSON object in the making.
#[derive(Debug)]
pub struct Object(String);

impl Object {
    /// An object without members.
    pub fn new() -> Object {
        Object("{".to_owned())
    }

    fn key(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&quoted(key));
        self.0.push(':');
    }

    /// Adds a string.
    pub fn text(mut self, key: &str, value: &str) -> Object {
        self.key(key);
        self.0.push_str(&quoted(value));
        self
    }

    /// Adds a string unless it is empty.
    pub fn text_if(self, key: &str, value: &str) -> Object {
        if value.is_empty() { self } else { self.text(key, value) }
    }

    /// Adds JSON that was written before: a number, an [`Object`], an [`array()`].
    pub fn raw(mut self, key: &str, value: impl std::fmt::Display) -> Object {
        self.key(key);
        self.0.push_str(&value.to_string());
        self
    }

    /// Adds a string, or `null`.
    pub fn optional(self, key: &str, value: Option<String>) -> Object {
        match value {
            Some(value) => self.text(key, &value),
            None => self.raw(key, "null"),
        }
    }

    /// The text.
    pub fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

impl Default for Object {
    fn default() -> Object {
        Object::new()
    }
}

/// An array of JSON that was written before.
pub fn array(items: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", items.into_iter().collect::<Vec<_>>().join(","))
}

/// A JSON string.
pub fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order() {
        let inner = Object::new().raw("n", 1).end();
        let text =
            Object::new().text("z", "a\"b\n").text_if("no", "").raw("list", array([inner])).optional("o", None).end();
        assert_eq!(text, r#"{"z":"a\"b\n","list":[{"n":1}],"o":null}"#);
        assert!(serde_json::from_str::<Value>(&text).is_ok());
    }
}
