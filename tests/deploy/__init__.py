"""The application on emulators of AWS that are not ours: `make test-deploy`, `make test-sam-local`."""
