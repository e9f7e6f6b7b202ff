//! How many tokens an answer took, as its API says: `usage` of OpenAI and Anthropic,
//! `usageMetadata` of Gemini.

use sentinel_sdk::prelude::*;

/// What counts against the budget.
#[derive(ConfigSchema, Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Count {
    #[default]
    Total,
    Input,
    Output,
}

/// What was seen so far. Streams tell more than once, and cumulatively: the largest counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    pub input: u64,
    pub output: u64,
    pub total: u64,
}

/// More is no count of tokens, but a fault or a lie.
const MOST: u64 = 1 << 40;

#[derive(Deserialize)]
struct Document {
    #[serde(default, deserialize_with = "lenient")]
    usage: Option<Numbers>,
    #[serde(default, rename = "usageMetadata", deserialize_with = "lenient")]
    usage_metadata: Option<Numbers>,
    /// Anthropic's `message_start`.
    #[serde(default, deserialize_with = "lenient")]
    message: Option<Inner>,
    /// `response.completed` of OpenAI's Responses.
    #[serde(default, deserialize_with = "lenient")]
    response: Option<Inner>,
}

#[derive(Deserialize)]
struct Inner {
    #[serde(default, deserialize_with = "lenient")]
    usage: Option<Numbers>,
}

/// Services that speak like several APIs tell the same number under several names: the largest
/// counts.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Numbers {
    #[serde(deserialize_with = "lenient")]
    input_tokens: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    prompt_tokens: Option<u64>,
    #[serde(rename = "promptTokenCount", deserialize_with = "lenient")]
    prompt_token_count: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    output_tokens: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    completion_tokens: Option<u64>,
    #[serde(rename = "candidatesTokenCount", deserialize_with = "lenient")]
    candidates_token_count: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    total_tokens: Option<u64>,
    #[serde(rename = "totalTokenCount", deserialize_with = "lenient")]
    total_token_count: Option<u64>,
    /// Anthropic counts what it reads from and writes to its cache beside the input.
    #[serde(deserialize_with = "lenient")]
    cache_creation_input_tokens: Option<u64>,
    #[serde(deserialize_with = "lenient")]
    cache_read_input_tokens: Option<u64>,
    /// Gemini counts thoughts beside the answer.
    #[serde(rename = "thoughtsTokenCount", deserialize_with = "lenient")]
    thoughts_token_count: Option<u64>,
}

/// A member of another type is as good as none: an answer is not wrong because of it.
fn lenient<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = <&serde_json::value::RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(value.get()).ok())
}

impl Usage {
    /// Take what a document says about usage; tells whether it says something.
    pub fn read(&mut self, json: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(json) else { return false };
        let Ok(document) = serde_json::from_str::<Document>(text) else { return false };
        let inner = |inner: Option<Inner>| inner.and_then(|inner| inner.usage);
        let found = [document.usage, document.usage_metadata, inner(document.message), inner(document.response)];
        let mut told = false;
        for numbers in found.into_iter().flatten() {
            told |= self.add(&numbers);
        }
        told
    }

    fn add(&mut self, numbers: &Numbers) -> bool {
        let largest = |names: &[Option<u64>]| names.iter().flatten().copied().max().unwrap_or(0).min(MOST);
        let input = largest(&[numbers.input_tokens, numbers.prompt_tokens, numbers.prompt_token_count])
            + largest(&[numbers.cache_creation_input_tokens])
            + largest(&[numbers.cache_read_input_tokens]);
        let output = largest(&[numbers.output_tokens, numbers.completion_tokens, numbers.candidates_token_count])
            + largest(&[numbers.thoughts_token_count]);
        let total = largest(&[numbers.total_tokens, numbers.total_token_count]);
        self.input = self.input.max(input);
        self.output = self.output.max(output);
        self.total = self.total.max(total).max(self.input + self.output);
        self.total > 0
    }

    pub fn count(&self, count: Count) -> u64 {
        match count {
            Count::Total => self.total,
            Count::Input => self.input,
            Count::Output => self.output,
        }
    }
}
