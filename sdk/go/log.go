package sentinel

import (
	"context"
	"log/slog"
	"strings"

	"sentinel-gateway/sentinel/internal/host"
)

const (
	levelTrace uint32 = iota
	levelDebug
	levelInfo
	levelWarn
	levelError
)

// The standard library's default loggers, slog's and log's, write to the gateway's log. The gateway
// decides which levels are shown.
func init() {
	slog.SetDefault(slog.New(&handler{}))
}

// handler writes a record as one line: the message, and its attributes as name=value.
type handler struct {
	prefix string
	before string
}

func (h *handler) Enabled(context.Context, slog.Level) bool { return true }

func (h *handler) Handle(_ context.Context, record slog.Record) error {
	var line strings.Builder
	line.WriteString(record.Message)
	line.WriteString(h.before)
	record.Attrs(func(attribute slog.Attr) bool {
		writeAttribute(&line, h.prefix, attribute)
		return true
	})
	host.Log(levelOf(record.Level), line.String())
	return nil
}

func (h *handler) WithAttrs(attributes []slog.Attr) slog.Handler {
	var line strings.Builder
	for _, attribute := range attributes {
		writeAttribute(&line, h.prefix, attribute)
	}
	return &handler{h.prefix, h.before + line.String()}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.prefix + name + ".", h.before}
}

func writeAttribute(line *strings.Builder, prefix string, attribute slog.Attr) {
	value := attribute.Value.Resolve()
	if value.Kind() == slog.KindGroup {
		for _, each := range value.Group() {
			writeAttribute(line, prefix+attribute.Key+".", each)
		}
		return
	}
	line.WriteString(" " + prefix + attribute.Key + "=" + value.String())
}

func levelOf(level slog.Level) uint32 {
	switch {
	case level < slog.LevelDebug:
		return levelTrace
	case level < slog.LevelInfo:
		return levelDebug
	case level < slog.LevelWarn:
		return levelInfo
	case level < slog.LevelError:
		return levelWarn
	}
	return levelError
}
