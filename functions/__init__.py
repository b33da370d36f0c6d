"""The services. Imported as `functions.<service>…` everywhere: a bare `queue` would shadow the standard library's."""
