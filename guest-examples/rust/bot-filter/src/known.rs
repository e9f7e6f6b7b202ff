//! What bots call themselves, in lower case. A category is what an operator decides about.

use sentinel_sdk::prelude::*;

#[derive(ConfigSchema, Clone, Copy, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// Crawlers of search engines.
    Search,
    /// Crawlers that collect for language models.
    Ai,
    /// Crawlers that collect for marketing.
    Seo,
    /// Scanners for vulnerabilities.
    Scanners,
    /// Frameworks for scraping, and browsers without a screen.
    Scrapers,
    /// Libraries and command lines for HTTP.
    Tools,
}

impl Category {
    pub fn name(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Ai => "ai",
            Self::Seo => "seo",
            Self::Scanners => "scanners",
            Self::Scrapers => "scrapers",
            Self::Tools => "tools",
        }
    }

    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::Search => &[
                "googlebot",
                "bingbot",
                "duckduckbot",
                "baiduspider",
                "yandexbot",
                "slurp",
                "applebot/",
                "sogou",
                "seznambot",
                "petalbot",
                "qwantbot",
            ],
            Self::Ai => &[
                "gptbot",
                "oai-searchbot",
                "chatgpt-user",
                "claudebot",
                "claude-web",
                "anthropic-ai",
                "ccbot",
                "bytespider",
                "perplexitybot",
                "google-extended",
                "applebot-extended",
                "meta-externalagent",
                "amazonbot",
                "cohere-ai",
                "diffbot",
                "ai2bot",
                "omgili",
                "imagesiftbot",
            ],
            Self::Seo => {
                &["ahrefsbot", "semrushbot", "mj12bot", "dotbot", "rogerbot", "blexbot", "dataforseobot", "serpstatbot"]
            }
            Self::Scanners => &[
                "nikto",
                "sqlmap",
                "nmap",
                "masscan",
                "zgrab",
                "nuclei",
                "wpscan",
                "acunetix",
                "nessus",
                "openvas",
                "dirbuster",
                "gobuster",
                "feroxbuster",
                "ffuf",
                "wfuzz",
                "arachni",
                "w3af",
                "burpcollaborator",
                "jaeles",
            ],
            Self::Scrapers => &[
                "scrapy",
                "headlesschrome",
                "phantomjs",
                "puppeteer",
                "playwright",
                "selenium",
                "httrack",
                "webcopier",
                "sitesucker",
                "teleport",
                "webzip",
                "crawler4j",
                "colly",
            ],
            Self::Tools => &[
                "curl/",
                "wget/",
                "python-requests",
                "python-urllib",
                "python-httpx",
                "aiohttp/",
                "go-http-client",
                "java/",
                "okhttp",
                "apache-httpclient",
                "libwww-perl",
                "axios/",
                "node-fetch",
                "guzzlehttp",
                "postmanruntime",
                "insomnia/",
                "httpie/",
                "ruby",
            ],
        }
    }
}
