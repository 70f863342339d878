"""An API server for tests: a real HTTP server that speaks what a reader of Kubernetes hears.

Discovery, lists in pages, watches, bookmarks, expiry, refusals, and on demand everything that goes wrong
between a server and its reader. It holds no model of any kind of object. `python -m tests.apiserver --help`
serves a simulated world, or objects by the number, to people and benchmarks.
"""
