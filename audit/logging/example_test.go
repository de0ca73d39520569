package logging_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/surefoot-ml/surefoot/audit/logging"
)

func Example() {
	dir, err := os.MkdirTemp("", "logs")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)

	file, err := logging.OpenFile(filepath.Join(dir, "train.log"), logging.FileConfig{MaxSize: 64 << 20, Every: 24 * time.Hour, Keep: 10})
	if err != nil {
		panic(err)
	}
	queue, err := logging.NewAsync(file, logging.AsyncConfig{Overflow: logging.DropNewest})
	if err != nil {
		panic(err)
	}
	noTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	handler, err := logging.New(slog.NewJSONHandler(queue, &slog.HandlerOptions{ReplaceAttr: noTime}), logging.Config{})
	if err != nil {
		panic(err)
	}
	log := slog.New(handler)

	ctx := logging.With(context.Background(), logging.Scope{Run: "imdb-7", Step: 17})
	log.InfoContext(ctx, "diverged", "loss", math.NaN(), "api_key", "hunter2")
	log.WithGroup("store").ErrorContext(ctx, "upload failed", logging.Error(fmt.Errorf("put: %w", errors.New("https://bob:pw@host is down"))))

	closing, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := errors.Join(queue.Close(closing), file.Close()); err != nil {
		panic(err)
	}
	text, _ := os.ReadFile(filepath.Join(dir, "train.log"))
	fmt.Print(string(text))
	fmt.Println(handler.Stats().Handled, queue.Stats().Dropped, file.Stats().Written)
	// Output:
	// {"level":"INFO","msg":"diverged","run":"imdb-7","step":17,"loss":"NaN","api_key":"[redacted:api-key]"}
	// {"level":"ERROR","msg":"upload failed","run":"imdb-7","step":17,"store":{"error":{"text":"put: https://[redacted:url-user]@host is down","category":"transient"}}}
	// 2 0 2
}

func ExampleTimer() {
	timer, err := logging.NewTimer(slog.Default(), "save checkpoint", logging.TimerConfig{Slow: time.Minute, Failures: true})
	if err != nil {
		panic(err)
	}
	for range 3 {
		if err := timer.Time(context.Background(), func(context.Context) error { return nil }); err != nil {
			panic(err)
		}
	}
	t := timer.Timing()
	fmt.Println(t.Count, t.Failed, t.P99 <= t.Max)
	// Output:
	// 3 0 true
}
