"""How the test talks to these programs, one JSON object a line: {"id", "do", …} in, {"id", "ok", …} and {"event", …} out."""
import asyncio
import json
import sys
import traceback


def tell(**event):
    print(json.dumps(event), flush=True)


async def obey(commands):
    """Executes commands (name to coroutine function) until the input ends. A slow one holds nobody up."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    running = set()
    async for line in reader:
        task = asyncio.create_task(_execute(commands, json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)


async def _execute(commands, order):
    number, do = order.pop('id'), order.pop('do')
    try:
        tell(id=number, ok=True, answer=await commands[do](**order))
    except Exception as error:
        tell(id=number, ok=False, error=f'{type(error).__name__}: {error}', trace=traceback.format_exc())
