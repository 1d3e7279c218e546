"""The store: every run on disk. Tables hold what is small and grows by events, files beside them hold arrays.

::

    <store>/
      alvin.db               runs, rounds, proposals, labels (SQLite, write-ahead log)
      datasets/<digest>.npz  each data set once, so that no run depends on the file it was read from
      runs/<id>/round-…/     one folder of arrays a round, written whole before the database names it
      cache/                 embeddings; may be deleted at any time
      locks/                 one file a run, locked while a process works on it
"""
