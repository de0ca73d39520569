package redact_test

import (
	"encoding/json"
	"fmt"

	"github.com/surefoot-ml/surefoot/audit/redact"
)

func Example() {
	r, err := redact.New(redact.Config{Keys: []string{"wifi_key"}})
	if err != nil {
		panic(err)
	}
	fmt.Println(r.String("dial postgres://svc:hunter2@db:5432/runs: password=hunter2, user bob@example.com"))
	fmt.Println(r.String("the tokenizer knows 512 tokens, eos_token=</s>"))
	fmt.Println(string(r.JSON(nil, []byte(`{"loss":0.43,"wifiKey":"x","note":"sent Bearer abc123def456"}`))))
	fmt.Println(r.Value(map[string]any{"user": "bob", "credentials": []string{"a", "b"}}))
	// Output:
	// dial postgres://[redacted:url-user]@db:5432/runs: password=[redacted:password] user [redacted:email]
	// the tokenizer knows 512 tokens, eos_token=</s>
	// {"loss":0.43,"wifiKey":"[redacted:wifi-key]","note":"sent Bearer [redacted:bearer]"}
	// {"credentials":"[redacted:credentials]","user":"bob"}
}

func ExampleSecret() {
	var config struct {
		URL string
		Key redact.Secret
	}
	if err := json.Unmarshal([]byte(`{"URL":"https://api.example.com","Key":"hunter2"}`), &config); err != nil {
		panic(err)
	}
	fmt.Printf("%+v\n", config)
	fmt.Println(len(config.Key.Reveal()))
	// Output:
	// {URL:https://api.example.com Key:[redacted:secret]}
	// 7
}

func ExampleConfig_digestKey() {
	r, err := redact.New(redact.Config{DigestKey: redact.NewSecret("a key of the operator")})
	if err != nil {
		panic(err)
	}
	a, b, c := r.String("token=hunter2"), r.String("token=hunter2"), r.String("token=hunter3")
	fmt.Println(len(a), a == b, a == c)
	// Output:
	// 35 true false
}
