// Package connector is the interface through which the engine reads sources and writes to them. A [Factory] makes the
// connector of one source from the source's configuration. One goroutine at a time uses it and closes it at the end:
//
//	c, err := factory(ctx, connector.Config{Source: "Directory", Attributes: attributes, Secret: secret})
//	defer c.Close()
//
//	cursor, err := c.Read(ctx, "", func(object *connector.Object) error { ... })    // everything
//	cursor, err = c.Read(ctx, cursor, func(object *connector.Object) error { ... }) // the changes since then
//
//	result, err := c.Apply(ctx, &connector.Operation{Key: key, Kind: connector.AddValues, ...})
//
// A host gives the engine the factories that it wants: those of the packages below this one, and its own. A connector
// that passes connectortest.Run follows the rules that the engine relies on. The most important rule: the engine may
// call Apply again for an operation that was carried out before, and Apply then changes nothing.
package connector
