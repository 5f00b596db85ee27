"""The engines: rows stay here, and answers of bounded size leave. Implements `plugin.Engine`."""
