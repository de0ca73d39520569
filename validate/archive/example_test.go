package archive_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/surefoot-ml/surefoot/validate/archive"
)

func ExampleExtractZip() {
	var upload bytes.Buffer // of somebody else
	z := zip.NewWriter(&upload)
	if _, err := z.Create("../../home/ada/.ssh/authorized_keys"); err != nil {
		log.Fatal(err)
	}
	if err := z.Close(); err != nil {
		log.Fatal(err)
	}

	dir, err := os.MkdirTemp("", "data")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	root, err := os.OpenRoot(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer root.Close()

	_, err = archive.ExtractZip(bytes.NewReader(upload.Bytes()), int64(upload.Len()), root, archive.Limits{Total: 1 << 30})
	fmt.Println(errors.Is(err, archive.ErrName))
	fmt.Println(err)
	// Output:
	// true
	// archive: unsafe name: not a plain relative path: "../../home/ada/.ssh/authorized_keys"
}
