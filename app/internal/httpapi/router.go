package httpapi

import (
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"

	"github.com/detection-api/detection-api/app/internal/detection"
	"github.com/labstack/echo/v4"
)

// pathParameter is one parameter in a path as OpenAPI writes it.
var pathParameter = regexp.MustCompile(`\{(\w+)\}`)

// newRouter returns what finds the handler of a request. This file is all there is of Echo: beyond it handlers are functions
// of an exchange and a request, and what does not match any of them is an *detection.Error. The router is to be called with
// an *exchange as the ResponseWriter, and leaves the handler's error there.
func newRouter(routes []route) http.Handler {
	e := echo.New()
	e.Logger.SetOutput(io.Discard) // what there is to say goes to Options.Logger
	e.HTTPErrorHandler = func(err error, c echo.Context) { exchangeOf(c).err = routingError(err) }
	for _, r := range routes {
		handle := func(c echo.Context) error {
			request := c.Request()
			for _, name := range c.ParamNames() {
				request.SetPathValue(name, c.Param(name))
			}
			return r.handle(exchangeOf(c), request)
		}
		e.Match(r.methods(), echoPath(r.path), handle)
	}
	return e
}

func exchangeOf(c echo.Context) *exchange { return c.Response().Writer.(*exchange) }

// echoPath writes a path with its parameters as Echo wants it: :name for a parameter, a colon that is none escaped.
func echoPath(path string) string {
	path = strings.ReplaceAll(path, ":", `\:`)
	return pathParameter.ReplaceAllString(path, `:$1`)
}

// routingError translates what Echo says of a request that no handler takes. Errors of handlers it leaves alone.
func routingError(err error) error {
	var routing *echo.HTTPError
	if !errors.As(err, &routing) {
		return err
	}
	switch routing.Code {
	case http.StatusNotFound:
		return &detection.Error{Code: detection.CodeNotFound, Message: "there is nothing at this path"}
	case http.StatusMethodNotAllowed:
		return &detection.Error{Code: codeMethod, Message: "this path does not support the method; see the Allow header"}
	}
	return err
}
