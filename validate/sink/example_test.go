package sink_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/surefoot-ml/surefoot/validate/sink"
)

func Example() {
	name := "O'Brien <b>\x1b[2J"
	fmt.Println(sink.HTML("O'Brien <b>"))
	word, _ := sink.Shell("O'Brien; rm -rf /")
	fmt.Println(word)
	fmt.Println(sink.Log(name, 0))
	_, err := sink.Path("models/%2e%2e/%2e%2e/etc/passwd")
	fmt.Println(errors.Is(err, sink.ErrEscapes), err)
	// Output:
	// O&#39;Brien &lt;b&gt;
	// 'O'\''Brien; rm -rf /'
	// O'Brien <b>\x1b[2J
	// true sink: path escapes its directory: path "models/%2e%2e/%2e%2e/etc/passwd" must stay below its directory
}

func ExampleURLPolicy() {
	policy := sink.URLPolicy{Hosts: []string{".example.com"}}
	for _, address := range []string{"https://data.example.com/train.jsonl", "https://example.com.evil.org/", "https://0x7f.1/", "file:///etc/passwd"} {
		u, err := policy.Check(address)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println("ok:", u) // policy.Client(0) gets it, wherever the name then leads
	}
	// Output:
	// ok: https://data.example.com/train.jsonl
	// sink: not on the list: host "example.com.evil.org" must be one that is allowed
	// sink: address not allowed: host "0x7f.1" must be an address in four decimal parts, or a name that does not end in a number
	// sink: text not allowed: URL "file:///etc/passwd" must be an address with a host (RFC 3986)
}

func ExampleIdentifiers() {
	columns, _ := sink.NewIdentifiers(sink.Standard, "step", "loss")
	order, _ := columns.Order("loss", "desc")
	fmt.Println("SELECT step, loss FROM runs WHERE run = $1 ORDER BY " + order)
	_, err := columns.Order("loss; DROP TABLE runs", "")
	fmt.Println(err)
	// Output:
	// SELECT step, loss FROM runs WHERE run = $1 ORDER BY "loss" DESC
	// sink: not on the list: identifier "loss; DROP TABLE runs" must be one that was listed
}

func ExampleRoot() {
	top, _ := os.MkdirTemp("", "sink")
	defer os.RemoveAll(top)
	dir := filepath.Join(top, "uploads")
	_ = os.Mkdir(dir, 0o700)
	_ = os.Symlink("/etc", filepath.Join(dir, "etc"))
	root, err := sink.OpenRoot(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer root.Close()
	_, err = root.Open("etc/passwd")
	fmt.Println(errors.Is(err, sink.ErrEscapes))
	// Output: true
}
