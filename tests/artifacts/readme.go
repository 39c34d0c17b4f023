package artifacts

import (
	"bytes"
	"fmt"
	"os"
)

// ReadmeBlock returns the shell commands of README.md that follow the marker <!-- test:NAME -->.
func (r Repository) ReadmeBlock(name string) (string, error) {
	text, err := os.ReadFile(r.Path("README.md"))
	if err != nil {
		return "", err
	}
	_, after, found := bytes.Cut(text, []byte("<!-- test:"+name+" -->"))
	if !found {
		return "", fmt.Errorf("README.md has no block marked test:%s", name)
	}
	_, after, _ = bytes.Cut(after, []byte("```bash\n"))
	block, _, found := bytes.Cut(after, []byte("\n```"))
	if !found {
		return "", fmt.Errorf("README.md: the block test:%s is no ```bash block", name)
	}
	return string(block), nil
}
