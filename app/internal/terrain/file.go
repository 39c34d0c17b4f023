package terrain

import (
	"errors"
	"os"
)

// sizedFile is an open file whose size is known. Close it.
type sizedFile struct {
	*os.File
	size int64
}

func openSized(path string) (*sizedFile, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &sizedFile{file, info.Size()}, nil
}
