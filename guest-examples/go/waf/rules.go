package main

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/corazawaf/libinjection-go"
)

// Places of a request, as bits.
type places uint8

const (
	inPath places = 1 << iota
	inQuery
	inHeaders
	inCookies
	inBody
)

var placeNames = map[string]places{
	"path": inPath, "query": inQuery, "headers": inHeaders, "cookies": inCookies, "body": inBody,
}

// Rule is one of the configuration.
type Rule struct {
	ID    string   `config:"id,required" minimum:"1" doc:"What the log calls it."`
	Match string   `config:"match,required" doc:"A regular expression in RE2's syntax, for each decoded value."`
	In    []string `config:"in" doc:"Where it looks: path, query, headers, cookies, body. Everywhere, unless given."`
	Score int      `config:"score" default:"5" minimum:"1" doc:"What it adds."`
}

func (r Rule) compile() (rule, error) {
	expression, err := regexp.Compile(r.Match)
	if err != nil {
		return rule{}, fmt.Errorf("match: %w", err)
	}
	if r.Score < 1 {
		return rule{}, errors.New("score: 1 or more")
	}
	made := rule{r.ID, inPath | inQuery | inHeaders | inCookies | inBody, r.Score, expression.MatchString}
	if len(r.In) > 0 {
		made.in = 0
	}
	for _, name := range r.In {
		place, isKnown := placeNames[name]
		if !isKnown {
			return rule{}, fmt.Errorf("in: no place is called %q", name)
		}
		made.in |= place
	}
	return made, nil
}

type rule struct {
	id      string
	in      places
	score   int
	matches func(string) bool
}

func (r rule) matchesAny(values []value) bool {
	for _, value := range values {
		if r.in&value.in != 0 && r.matches(value.text) {
			return true
		}
	}
	return false
}

func expression(text string) func(string) bool { return regexp.MustCompile(text).MatchString }

func isSQL(text string) bool {
	found, _ := libinjection.IsSQLi(text)
	return found
}

// What the guest brings. A rule that is sure of itself scores as much as the threshold is by
// default.
var standard = []rule{
	{"sql-injection", inQuery | inCookies | inBody, 5, isSQL},
	{"cross-site-scripting", inPath | inQuery | inCookies | inBody, 5, libinjection.IsXSS},
	{"path-traversal", inPath | inQuery | inBody, 5, expression(`(?:^|[/\\])\.\.(?:[/\\]|$)`)},
	{"system-file", inPath | inQuery | inBody, 5, expression(`(?i)/etc/(?:passwd|shadow|group)\b|/proc/self/|\bwin\.ini\b`)},
	{"shell-command", inQuery | inBody, 5, expression("(?i)(?:[;|&`\\n]|\\$\\()\\s*(?:cat|curl|wget|nc|bash|sh|id|whoami|uname|python3?|perl|nslookup)\\b")},
	{"lookup", inPath | inQuery | inHeaders | inCookies | inBody, 5, expression(`(?i)\$\{(?:jndi|lower|upper|env|sys|::-)`)},
	{"nul", inPath | inQuery | inBody, 5, expression(`\x00`)},
	{"scanner", inHeaders, 5, expression(`(?i)\b(?:sqlmap|nikto|nuclei|acunetix|masscan|wpscan|dirbuster|gobuster)\b`)},
}
