package container

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/modules/postgres"

	"github.com/muster-engine/muster/store/storetest"
)

const (
	imageVariable = "MUSTER_TEST_POSTGRES_IMAGE"
	imageDefault  = "postgres:17-alpine"
)

func init() { storetest.RegisterContainer(start) }

func start(ctx context.Context) (string, func(context.Context) error, error) {
	image := os.Getenv(imageVariable)
	if image == "" {
		image = imageDefault
	}
	container, err := postgres.Run(ctx, image,
		postgres.WithDatabase("postgres"), postgres.WithUsername("postgres"), postgres.WithPassword("postgres"),
		postgres.BasicWaitStrategies(), testcontainers.WithCmdArgs("-c", "max_connections=200"))
	stop := func(ctx context.Context) error {
		return testcontainers.TerminateContainer(container, testcontainers.StopContext(ctx))
	}
	if err != nil {
		return "", nil, errors.Join(fmt.Errorf("run %s in a container: %w", image, err), stop(ctx))
	}
	url, err := container.ConnectionString(ctx, "sslmode=disable")
	if err != nil {
		return "", nil, errors.Join(err, stop(ctx))
	}
	return url, stop, nil
}
