from benchmarks.peers import Table
def figures(table: Table):
    return []
