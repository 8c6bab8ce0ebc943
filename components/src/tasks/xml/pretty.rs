//! XML as .NET saves it: two blanks a level, an element a line, text as it is.
//!
//! White space between elements is not kept, and an element in which text was written is not indented any more.

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

/// What ends a line.
pub(super) const LINE_END: &str = "\r\n";
/// Elements within each other, at most.
const MAX_DEPTH: usize = 10_000;

/// Writes XML with indentation.
#[derive(Default)]
pub(super) struct Pretty {
    out: String,
    /// By open element, what was written in it.
    open: Vec<Content>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Content {
    /// Nothing: the start tag is not closed yet.
    #[default]
    Nothing,
    Elements,
    Text,
}

impl Pretty {
    pub(super) fn finish(self) -> String {
        self.out
    }

    /// Begins a line, unless text stands in it.
    fn line(&mut self) {
        self.close_tag();
        let depth = self.open.len();
        match self.open.last_mut() {
            Some(Content::Text) => return,
            Some(content) => *content = Content::Elements,
            None if self.out.is_empty() => return,
            None => {}
        }
        self.out.push_str(LINE_END);
        self.out.extend(std::iter::repeat_n("  ", depth));
    }

    /// Ends a start tag that something follows in its element.
    fn close_tag(&mut self) {
        if self.open.last() == Some(&Content::Nothing) {
            self.out.push('>');
        }
    }

    fn text(&mut self, text: &str) {
        self.close_tag();
        if let Some(content) = self.open.last_mut() {
            *content = Content::Text;
        }
        self.out.push_str(text);
    }

    fn start(&mut self, tag: &BytesStart<'_>) -> Result<(), String> {
        if self.open.len() >= MAX_DEPTH {
            return Err(format!("more than {MAX_DEPTH} elements within each other"));
        }
        self.line();
        self.out.push('<');
        self.out.push_str(tag.name().as_ref());
        for attribute in tag.attributes() {
            let attribute = attribute.map_err(|e| e.to_string())?;
            let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|e| e.to_string())?;
            self.out.push(' ');
            self.out.push_str(attribute.key.as_ref());
            self.out.push_str("=\"");
            escape(&value, true, &mut self.out);
            self.out.push('"');
        }
        self.open.push(Content::Nothing);
        Ok(())
    }

    fn end(&mut self, name: &str) {
        match self.open.pop() {
            Some(Content::Nothing) => self.out.push_str(" />"),
            content => {
                if content == Some(Content::Elements) {
                    self.out.push_str(LINE_END);
                    self.out.extend(std::iter::repeat_n("  ", self.open.len()));
                }
                self.out.push_str("</");
                self.out.push_str(name);
                self.out.push('>');
            }
        }
    }

    /// Writes a well-formed document or element. At the end of the element that begins at byte `insert.0` of it, the
    /// element `insert.1` is written too.
    ///
    /// # Errors
    /// What is not well-formed.
    pub(super) fn write(&mut self, xml: &str, insert: Option<(usize, &str)>) -> Result<(), String> {
        let mut reader = Reader::from_str(xml);
        // The depth at which the element stands that takes the insertion.
        let mut target = None;
        loop {
            let at = reader.buffer_position() as usize;
            let event = reader.read_event().map_err(|e| e.to_string())?;
            let is_target = insert.is_some_and(|(place, _)| place == at);
            match event {
                Event::Start(tag) => {
                    self.start(&tag)?;
                    if is_target {
                        target = Some(self.open.len());
                    }
                }
                Event::Empty(tag) => {
                    self.start(&tag)?;
                    if let (true, Some((_, inserted))) = (is_target, insert) {
                        self.write(inserted, None)?;
                    }
                    self.end(tag.name().as_ref());
                }
                Event::End(tag) => {
                    if let (true, Some((_, inserted))) = (target == Some(self.open.len()), insert) {
                        self.write(inserted, None)?;
                        target = None;
                    }
                    self.end(tag.name().as_ref());
                }
                Event::Text(text) => {
                    let text = text.xml_content(XmlVersion::Implicit1_0);
                    if !text.trim_matches([' ', '\t', '\r', '\n']).is_empty() {
                        let mut escaped = String::new();
                        escape(&text, false, &mut escaped);
                        self.text(&escaped);
                    }
                }
                Event::GeneralRef(reference) => {
                    let resolved = reference.resolve_char_ref().map_err(|e| e.to_string())?;
                    match resolved {
                        Some(c) => {
                            let mut escaped = String::new();
                            escape(c.encode_utf8(&mut [0; 4]), false, &mut escaped);
                            self.text(&escaped);
                        }
                        None => self.text(&format!("&{};", &*reference)),
                    }
                }
                Event::CData(text) => self.text(&format!("<![CDATA[{}]]>", text.xml_content(XmlVersion::Implicit1_0))),
                Event::Comment(text) => {
                    self.line();
                    self.out.push_str(&format!("<!--{}-->", &*text));
                }
                Event::PI(instruction) => {
                    self.line();
                    self.out.push_str(&format!("<?{}?>", &*instruction));
                }
                Event::Decl(declaration) => {
                    self.line();
                    self.out.push_str(&format!("<?{}?>", &*declaration));
                }
                Event::DocType(text) => {
                    self.line();
                    self.out.push_str(&format!("<!DOCTYPE {}>", &*text));
                }
                Event::Eof => return Ok(()),
            }
        }
    }
}

/// Appends text with what XML has to spell otherwise.
pub(super) fn escape(text: &str, attribute: bool, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' if attribute => out.push_str("&quot;"),
            '\n' if attribute => out.push_str("&#xA;"),
            '\r' => out.push_str("&#xD;"),
            '\t' if attribute => out.push_str("&#x9;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pretty(xml: &str, insert: Option<(&str, &str)>) -> String {
        let mut pretty = Pretty::default();
        let insert = insert.map(|(tag, inserted)| (xml.find(tag).unwrap(), inserted));
        pretty.write(xml, insert).unwrap();
        pretty.finish().replace("\r\n", "\n")
    }

    #[test]
    fn an_element_a_line() {
        for (xml, expected) in [
            ("<a><b>1</b>\n <c x='1'/></a>", "<a>\n  <b>1</b>\n  <c x=\"1\" />\n</a>"),
            ("<?xml version=\"1.0\"?><a/>", "<?xml version=\"1.0\"?>\n<a />"),
            ("<a></a>", "<a />"),
            ("<a><!-- c --><?p i?><b/></a>", "<a>\n  <!-- c -->\n  <?p i?>\n  <b />\n</a>"),
            ("<a>text <b>bold</b> more</a>", "<a>text <b>bold</b> more</a>"),
            ("<a x='\"&lt;&#10;'>&amp;&#233;<![CDATA[<]]></a>", "<a x=\"&quot;&lt;&#xA;\">&amp;é<![CDATA[<]]></a>"),
        ] {
            assert_eq!(pretty(xml, None), expected);
        }
    }

    #[test]
    fn an_element_is_inserted_at_the_end_of_another() {
        assert_eq!(
            pretty("<a><b/></a>", Some(("<a>", "<c> <d/></c>"))),
            "<a>\n  <b />\n  <c>\n    <d />\n  </c>\n</a>"
        );
        assert_eq!(pretty("<a><b/><x/></a>", Some(("<b/>", "<c/>"))), "<a>\n  <b>\n    <c />\n  </b>\n  <x />\n</a>");
        assert_eq!(
            pretty("<a><b><b/></b></a>", Some(("<b>", "<c/>"))),
            "<a>\n  <b>\n    <b />\n    <c />\n  </b>\n</a>"
        );
    }
}
