//! The arguments of calls: JSON in which `{file}` and `{i}` stand for what
//! differs from call to call.

use serde_json::Value;

/// Arguments in which something is to be put in.
#[derive(Debug, Clone)]
pub struct Template {
    /// JSON text between the places; a place is a file's name or a number.
    parts: Vec<(String, Option<Place>)>,
    files: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    File,
    Number,
}

/// The template can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is no JSON object.
    #[error("the arguments are no JSON object: {0}")]
    NoObject(String),
    /// It names files, and there are none.
    #[error("the arguments have `{{file}}`, and no file is given")]
    NoFiles,
}

impl Template {
    /// Of JSON text and the files that calls take in turns.
    ///
    /// # Errors
    /// When it is no JSON object, or lacks files.
    pub fn parse(text: &str, files: Vec<String>) -> Result<Self, TemplateError> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| TemplateError::NoObject(error.to_string()))?;
        if !value.is_object() {
            return Err(TemplateError::NoObject(text.to_owned()));
        }
        let mut parts = Vec::new();
        let text = value.to_string();
        let mut rest = text.as_str();
        loop {
            let next = [("{file}", Place::File), ("{i}", Place::Number)]
                .into_iter()
                .filter_map(|(name, place)| Some((rest.find(name)?, name.len(), place)))
                .min_by_key(|(at, ..)| *at);
            let Some((at, length, place)) = next else {
                parts.push((rest.to_owned(), None));
                break;
            };
            let (before, after) = rest.split_at(at);
            parts.push((before.to_owned(), Some(place)));
            rest = after.get(length..).unwrap_or_default();
        }
        let wants_files = parts.iter().any(|(_, place)| *place == Some(Place::File));
        if wants_files && files.is_empty() {
            return Err(TemplateError::NoFiles);
        }
        Ok(Self { parts, files })
    }

    /// The arguments of a call, as JSON text.
    #[must_use]
    pub fn arguments(&self, number: u64) -> String {
        let mut text = String::new();
        for (part, place) in &self.parts {
            text.push_str(part);
            match place {
                Some(Place::Number) => text.push_str(&number.to_string()),
                Some(Place::File) => {
                    let count = self.files.len().max(1) as u64;
                    let file = usize::try_from(number % count)
                        .ok()
                        .and_then(|at| self.files.get(at));
                    let quoted = Value::from(file.map_or("", String::as_str)).to_string();
                    // One quote on each side is ours, more are the file's.
                    let inner = quoted.get(1..quoted.len() - 1).unwrap_or_default();
                    text.push_str(inner);
                }
                None => {}
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_taken_in_turns_and_quoted() {
        let files = vec!["\"a\"b".to_owned(), "c".to_owned()];
        let template = Template::parse(r#"{"file_path": "x/{file}", "n": "{i}"}"#, files).unwrap();
        assert_eq!(template.arguments(0), r#"{"file_path":"x/\"a\"b","n":"0"}"#);
        assert_eq!(template.arguments(3), r#"{"file_path":"x/c","n":"3"}"#);
    }

    #[test]
    fn what_can_not_be_filled_in_is_refused() {
        assert!(Template::parse("[]", Vec::new()).is_err());
        assert_eq!(
            Template::parse(r#"{"file_path":"{file}"}"#, Vec::new()).unwrap_err(),
            TemplateError::NoFiles
        );
        assert_eq!(
            Template::parse("{}", Vec::new()).unwrap().arguments(1),
            "{}"
        );
    }
}
