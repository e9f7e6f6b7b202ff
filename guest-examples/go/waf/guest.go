// Scores requests by rules, and refuses those whose score is too high.
package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"sentinel-gateway/sentinel"
)

// Config is what the gateway's configuration has for this guest.
type Config struct {
	Threshold int    `config:"threshold" default:"5" minimum:"1" doc:"A request with that score is refused. Each rule that matches adds its own, once."`
	BodyLimit int    `config:"body_limit" default:"65536" minimum:"1" maximum:"1048576" doc:"The largest form, JSON or text that is accepted, in bytes; other bodies are not looked at."`
	Detect    bool   `config:"detect" doc:"Log what would be refused, and refuse nothing."`
	Standard  bool   `config:"standard" default:"true" doc:"Whether the rules that the guest brings apply."`
	Rules     []Rule `config:"rules" doc:"Further rules."`
}

var (
	rules     []rule
	threshold int
	bodyLimit uint32
	detect    bool
)

// Configure compiles the rules.
func Configure(config Config) error {
	if config.Threshold < 1 {
		return errors.New("threshold: 1 or more")
	}
	if config.BodyLimit < 1 || config.BodyLimit > 1<<20 {
		return errors.New("body_limit: 1 to 1048576")
	}
	rules = nil
	if config.Standard {
		rules = append(rules, standard...)
	}
	for at, given := range config.Rules {
		made, err := given.compile()
		if err != nil {
			return fmt.Errorf("rules[%d].%w", at, err)
		}
		rules = append(rules, made)
	}
	threshold, bodyLimit, detect = config.Threshold, uint32(config.BodyLimit), config.Detect
	return nil
}

// OnRequest judges the head, and asks for a body that can be read. What the body's hook has to know
// is in the context.
func OnRequest(request *sentinel.Request) *sentinel.Response {
	score, refusal := judge(ofHead(request), 0)
	if refusal != nil {
		return refusal
	}
	contentType, _ := request.Header("content-type")
	if kind := kindOf(sentinel.MediaType(contentType)); kind != "" {
		request.Edits.Context = []byte(kind + " " + strconv.Itoa(score))
		request.Edits.Body = sentinel.BufferBody(bodyLimit)
	}
	return nil
}

// OnRequestChunk judges a whole body, on top of what the head scored.
func OnRequestChunk(chunk *sentinel.RequestChunk) *sentinel.Response {
	kind, before, _ := strings.Cut(string(chunk.Context), " ")
	score, err := strconv.Atoi(before)
	if err != nil {
		panic(err)
	}
	_, refusal := judge(ofBody(kind, chunk.Bytes), score)
	return refusal
}

func judge(values []value, score int) (int, *sentinel.Response) {
	var matched []string
	for _, rule := range rules {
		if rule.matchesAny(values) {
			matched = append(matched, rule.id)
			score += rule.score
		}
	}
	if len(matched) == 0 {
		return score, nil
	}
	isRefused := score >= threshold && !detect
	message := "a request is suspicious"
	if isRefused {
		message = "a request is refused"
	}
	// Not the values: they are the attacker's, or a user's password.
	slog.Warn(message, "rules", strings.Join(matched, ","), "score", score)
	if !isRefused {
		return score, nil
	}
	return score, sentinel.NewResponse(403, "this request looks like an attack\n").WithHeader("content-type", "text/plain")
}

func main() {}
